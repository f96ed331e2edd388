"""What was said in a room, by HTTP."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.domain.accounts.answers import field_errors, is_refused
from tests.domain.realtime.steps import ROOMS, Crew, make_room
from tests.support.people import Person
from tests.support.sockets import connected

MESSAGES = f"{ROOMS}/harbour/messages"


async def say(app: Litestar, person: Person, *said: Any) -> list[int]:
    """The ids of what was said."""
    async with connected(app, token=person.access_token) as socket:
        ids = []
        for data in said:
            await socket.send(type="publish", channel="room:harbour", data=data)
            ids.append((await socket.receive())["id"])
    return ids


async def data(calls: httpx.AsyncClient, **query: Any) -> list[Any]:
    response = await calls.get(MESSAGES, params=query)
    assert response.status_code == 200, response.text
    return [item["data"] for item in response.json()["items"]]


async def test_messages_come_newest_first_with_any_json_in_them(
    app: Litestar, calls: httpx.AsyncClient, caller: Person
) -> None:
    await make_room(calls)
    said = [1, "two", None, {"three": [True, {"ünï": "☃"}]}, [], 1.5, {"\u0000": "\u0000"}]
    await say(app, caller, *said)

    assert await data(calls) == list(reversed(said))


async def test_messages_are_walked_by_cursor_while_more_are_said(
    app: Litestar, calls: httpx.AsyncClient, caller: Person
) -> None:
    await make_room(calls)
    await say(app, caller, *range(7))
    page = (await calls.get(MESSAGES, params={"page_size": 3})).json()
    walked = [item["data"] for item in page["items"]]
    await say(app, caller, 7, 8)
    while page["next_cursor"]:
        page = (await calls.get(MESSAGES, params={"page_size": 3, "cursor": page["next_cursor"]})).json()
        walked += [item["data"] for item in page["items"]]

    assert walked == [6, 5, 4, 3, 2, 1, 0]


async def test_what_was_missed_is_found_by_its_ids(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    await make_room(calls)
    ids = await say(app, caller, *range(5))

    assert ids == [1, 2, 3, 4, 5]
    assert await data(calls, min_id=4, sort="id") == [3, 4]
    assert await data(calls, max_id=2) == [1, 0]
    assert await data(calls, min_id=2, max_id=3) == [2, 1]
    assert field_errors(await calls.get(MESSAGES, params={"min_id": 0})) == {"min_id": "too_small"}


async def test_each_room_has_its_own(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    await make_room(calls)
    await make_room(calls, "quay")
    await say(app, caller, "here")

    assert (await calls.get(f"{ROOMS}/quay/messages")).json()["items"] == []


@pytest.mark.asvs("8.2.2")
async def test_only_members_read_what_was_said(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, crew: Crew
) -> None:
    await make_room(calls)
    await say(app, caller, "between us")
    _, other = await crew.add()
    refused = await other.get(MESSAGES)

    assert is_refused(refused, 403, "permission_denied")
    assert "between us" not in refused.text


async def test_a_room_keeps_what_other_channels_forget(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    await make_room(calls)
    for start in range(0, 260, 20):
        await say(app, caller, *range(start, start + 20))

    assert (await calls.get(MESSAGES)).json()["total"] == 260
    async with connected(app, token=caller.access_token) as socket:
        missed = await socket.subscribe("room:harbour", since=1)
    assert (missed["recovered"], missed["missed"]) == (False, 259)
