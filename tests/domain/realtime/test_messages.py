"""What was said in a room, by HTTP."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.domain.accounts.answers import JSONObject, field_errors, is_refused
from tests.domain.realtime.steps import Crew, channel_of, make_room, messages_of
from tests.support.people import Person
from tests.support.sockets import connected


async def say(app: Litestar, room: JSONObject, person: Person, *said: Any) -> list[int]:
    """The ids of what was said."""
    async with connected(app, token=person.access_token) as socket:
        ids = []
        for data in said:
            await socket.send(type="publish", channel=channel_of(room), data=data)
            ids.append((await socket.receive())["id"])
    return ids


async def data(calls: httpx.AsyncClient, room: JSONObject, **query: Any) -> list[Any]:
    response = await calls.get(messages_of(room), params=query)
    assert response.status_code == 200, response.text
    return [item["data"] for item in response.json()["items"]]


async def test_messages_come_newest_first_with_any_json_in_them(
    app: Litestar, calls: httpx.AsyncClient, caller: Person
) -> None:
    room = await make_room(calls)
    said = [1, "two", None, {"three": [True, {"ünï": "☃"}]}, [], 1.5, {"\u0000": "\u0000"}]
    await say(app, room, caller, *said)

    assert await data(calls, room) == list(reversed(said))


async def test_messages_are_walked_by_cursor_while_more_are_said(
    app: Litestar, calls: httpx.AsyncClient, caller: Person
) -> None:
    room = await make_room(calls)
    await say(app, room, caller, *range(7))
    page = (await calls.get(messages_of(room), params={"page_size": 3})).json()
    walked = [item["data"] for item in page["items"]]
    await say(app, room, caller, 7, 8)
    while page["next_cursor"]:
        page = (await calls.get(messages_of(room), params={"page_size": 3, "cursor": page["next_cursor"]})).json()
        walked += [item["data"] for item in page["items"]]

    assert walked == [6, 5, 4, 3, 2, 1, 0]


async def test_what_was_missed_is_found_by_its_ids(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    room = await make_room(calls)
    ids = await say(app, room, caller, *range(5))

    assert ids == [1, 2, 3, 4, 5]
    assert await data(calls, room, min_id=4, sort="id") == [3, 4]
    assert await data(calls, room, max_id=2) == [1, 0]
    assert await data(calls, room, min_id=2, max_id=3) == [2, 1]
    assert field_errors(await calls.get(messages_of(room), params={"min_id": 0})) == {"min_id": "too_small"}


async def test_each_room_has_its_own(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    room = await make_room(calls)
    quay = await make_room(calls, "quay")
    await say(app, room, caller, "here")

    assert (await calls.get(messages_of(quay))).json()["items"] == []


@pytest.mark.asvs("8.2.2")
async def test_only_members_read_what_was_said(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, crew: Crew
) -> None:
    room = await make_room(calls)
    await say(app, room, caller, "between us")
    _, other = await crew.add()
    refused = await other.get(messages_of(room))

    assert is_refused(refused, 403, "permission_denied")
    assert "between us" not in refused.text


async def test_a_room_keeps_what_other_channels_forget(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    room = await make_room(calls)
    for start in range(0, 260, 20):
        await say(app, room, caller, *range(start, start + 20))

    assert (await calls.get(messages_of(room))).json()["total"] == 260
    async with connected(app, token=caller.access_token) as socket:
        missed = await socket.subscribe(channel_of(room), since=1)
    assert (missed["recovered"], missed["missed"]) == (False, 259)
