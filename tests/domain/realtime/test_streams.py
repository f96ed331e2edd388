"""Listening by Server-Sent Events."""

from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from litestar import Litestar

from app.lib.db.url import DatabaseURL
from tests.domain.accounts.answers import JSONObject
from tests.domain.realtime.steps import ROOMS, Crew, channel_of, make_room, private_room
from tests.domain.realtime.test_handshakes import ticket_of
from tests.support.apps import Deployment, core_of, fresh, running_app
from tests.support.people import People, Person
from tests.support.sockets import Refused, SocketClient, connected
from tests.support.streams import EVENTS, listening


async def say(socket: SocketClient, room: JSONObject, text: Any) -> int:
    """The id of what was said."""
    await socket.send(type="publish", channel=channel_of(room), data=text)
    ack = await socket.receive()
    assert ack["type"] == "ack", ack
    number: int = ack["id"]
    return number


async def test_a_stream_tells_what_a_socket_would(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    room = await make_room(calls)
    ticket = await ticket_of(calls)
    async with (
        listening(app, f"posts,{channel_of(room)}", ticket=ticket) as stream,
        connected(app, token=caller.access_token) as socket,
    ):
        begun = [await stream.event(), await stream.event()]
        number = await say(socket, room, {"text": "Ahoy"})
        heard = await stream.event()

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    assert stream.headers["x-accel-buffering"] == "no"
    assert {each.frame["channel"] for each in begun if each} == {"posts", channel_of(room)}
    assert heard is not None
    assert (heard.kind, heard.id) == ("event", f"posts=0,{channel_of(room)}={number}")
    assert (heard.frame["type"], heard.frame["data"], heard.frame["id"]) == ("event", {"text": "Ahoy"}, number)


async def test_head_opens_no_stream_and_uses_no_ticket_up(
    app: Litestar, calls: httpx.AsyncClient, people: People
) -> None:
    ticket = await ticket_of(calls)
    query = {"channels": "posts", "ticket": ticket}
    async with people.client() as anonymous:
        for path in (EVENTS, f"{EVENTS}/", EVENTS.replace("/realtime", "//realtime")):
            refused = await anonymous.head(path, params=query)
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, OPTIONS")
        assert (await anonymous.options(EVENTS)).headers["allow"] == "GET, OPTIONS"
        assert (await anonymous.post(EVENTS)).headers["allow"] == "GET, OPTIONS"

    async with listening(app, "posts", ticket=ticket) as stream:
        assert (await stream.frame())["type"] == "subscribed"


async def test_a_stream_goes_on_where_it_was_left(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    room = await make_room(calls)
    quay = await make_room(calls, "quay")
    channels = f"{channel_of(room)},{channel_of(quay)}"
    async with connected(app, token=caller.access_token) as socket:
        async with listening(app, channels, token=caller.access_token) as stream:
            for _ in range(2):  # that both have begun
                await stream.event()
            await say(socket, room, 1)
            await say(socket, quay, 2)
            await stream.event()
            await stream.event()
        position = stream.last_id
        assert position is not None
        for number in (3, 4, 5):
            await say(socket, room, number)
            await say(socket, quay, 10 * number)
        for how in ("last_event_id_header", "last_event_id"):
            async with listening(app, channels, token=caller.access_token, **{how: position}) as stream:
                frames = [await stream.frame() for _ in range(8)]
            received = [(each["channel"], each["data"]) for each in frames if each["type"] == "event"]
            assert [data for channel, data in received if channel == channel_of(room)] == [3, 4, 5]
            assert [data for channel, data in received if channel == channel_of(quay)] == [30, 40, 50]
            assert all(each["recovered"] for each in frames if each["type"] == "subscribed")


async def test_an_empty_position_is_none(app: Litestar, caller: Person) -> None:
    for where in ["last_event_id", "last_event_id_header"]:
        async with listening(app, "posts", token=caller.access_token, **{where: ""}) as stream:
            assert (await stream.frame())["type"] == "subscribed"


async def test_data_of_several_lines_stays_one_event(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    room = await make_room(calls)
    async with (
        listening(app, channel_of(room), token=caller.access_token) as stream,
        connected(app, token=caller.access_token) as socket,
    ):
        await stream.event()
        await socket.send_text(
            '{"type":"publish","channel":"CHANNEL","data":{\n"text":\r\n"one\\ntwo"\n\n}}'.replace(
                "CHANNEL", channel_of(room)
            )
        )
        frame = await stream.frame()
        while frame["type"] != "event":
            frame = await stream.frame()

    assert frame["data"] == {"text": "one\ntwo"}


async def test_what_may_not_be_heard_is_refused_before_the_stream_begins(
    app: Litestar, calls: httpx.AsyncClient, crew: Crew
) -> None:
    room = await make_room(calls)
    cabin = await private_room(calls)
    other, _ = await crew.add()
    for channels, status, code in [
        (channel_of(room), 403, "permission_denied"),
        (f"posts,{channel_of(cabin)}", 404, "not_found"),
        ("nonsense", 404, "not_found"),
        ("posts,,posts", 422, "validation_failed"),
        ("no channel", 422, "validation_failed"),
        ("posts\n", 404, "not_found"),
        (",".join(f"presence:{number}" for number in range(101)), 422, "validation_failed"),
    ]:
        with pytest.raises(Refused) as refused:
            async with listening(app, channels, token=other.access_token):
                pass

        assert (refused.value.status, refused.value.problem["code"]) == (status, code)


async def test_a_position_that_is_none_is_refused(app: Litestar, caller: Person) -> None:
    for position in [
        "posts",
        "posts=",
        "posts=x",
        "posts=-1",
        "posts=1.5",
        "posts=1;room:x=2",
        "=1",
        "posts=" + "9" * 20,
    ]:
        for where in ("last_event_id", "last_event_id_header"):
            with pytest.raises(Refused) as refused:
                async with listening(app, "posts", token=caller.access_token, **{where: position}):
                    pass
            assert refused.value.status == 422


async def test_without_good_credentials_there_is_no_stream(app: Litestar) -> None:
    for how in [{}, {"ticket": "nonsense"}, {"token": "nonsense"}]:
        with pytest.raises(Refused) as refused:
            async with listening(app, "posts", **how):
                pass

        assert refused.value.status == 401


async def test_a_stream_ends_with_its_session(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    async with listening(app, "posts", token=caller.access_token) as stream:
        await stream.event()
        assert (await calls.post("/api/v1/auth/logout")).status_code == 204
        *_, last = await stream.until_end()

    assert (last.kind, last.frame) == ("close", {"code": 4401})


async def test_a_stream_ends_when_the_process_does(deployment: Deployment) -> None:
    app = await deployment.start()
    person = await People(app).create()
    draining = core_of(app).draining
    async with (
        listening(app, "posts", token=person.access_token) as stream,
        connected(app, token=person.access_token) as socket,
    ):
        await stream.event()
        draining.set()
        *_, last = await stream.until_end()
        assert await socket.until_closed() == 1012

    assert (last.kind, last.frame) == ("close", {"code": 1012})


async def test_a_process_that_is_started_again_takes_sockets(database_url: DatabaseURL) -> None:
    async with running_app(database_url, PRODUCT_NAME="Twice") as stopped:
        pass
    async with running_app(database_url, PRODUCT_NAME="Twice") as app, fresh(app):
        assert app is stopped
        person = await People(app).create()
        async with connected(app, token=person.access_token) as socket:
            assert (await socket.subscribe("posts"))["type"] == "subscribed"


async def test_streams_count_as_sockets(app: Litestar, caller: Person) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(listening(app, "posts", token=caller.access_token))
        with pytest.raises(Refused) as refused:
            await stack.enter_async_context(listening(app, "posts", token=caller.access_token))

    assert (refused.value.status, refused.value.problem["code"]) == (429, "rate_limited")
    assert refused.value.headers["retry-after"] == "2"


async def test_a_stream_of_a_room_ends_when_one_leaves_it(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, crew: Crew
) -> None:
    room = await make_room(calls)
    other, others = await crew.add()
    await others.post(f"{ROOMS}/{room['id']}/join")
    async with listening(app, channel_of(room), token=other.access_token) as stream:
        await stream.event()
        assert (await calls.delete(f"{ROOMS}/{room['id']}/members/{other.id}")).status_code == 204
        *_, last = await stream.until_end()

    assert (last.kind, last.frame) == ("close", {"code": 4403})


async def test_foreign_pages_get_no_stream_and_use_no_ticket_up(app: Litestar, calls: httpx.AsyncClient) -> None:
    ticket = (await calls.post("/api/v1/realtime/tickets")).json()["ticket"]
    query = {"channels": "posts", "ticket": ticket}
    refused = await calls.get(EVENTS, params=query, headers={"Origin": "https://evil.example"})
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")

    async with listening(app, "posts", ticket=ticket) as stream:
        assert (await stream.frame())["type"] == "subscribed"
