"""Plain text at the root: everybody hears what anybody says."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from litestar import Litestar

from app.domain.realtime.services.lobby import LOBBY
from app.lib.realtime.service import Realtime
from tests.domain.realtime.steps import Crew
from tests.support.apps import Deployment, core_of
from tests.support.people import People, Person
from tests.support.sockets import Closed, connected
from tests.support.waiting import until


async def test_everybody_hears_what_anybody_says_and_who_has_left(app: Litestar, caller: Person, crew: Crew) -> None:
    other, _ = await crew.add()
    async with connected(app, "/ws/ada", token=caller.access_token) as ada:
        async with connected(app, "/ws/grace", token=other.access_token) as grace:
            await ada.send_text("Hello?")
            assert await ada.receive_text() == await grace.receive_text() == "Client ada: Hello?"
            await grace.send_text('{"type": "ping"}')
            assert await ada.receive_text() == 'Client grace: {"type": "ping"}'
        assert await ada.receive_text() == "Client grace left"


async def test_nothing_is_sent_on_joining(app: Litestar, caller: Person, crew: Crew) -> None:
    other, _ = await crew.add()
    async with connected(app, "/ws/ada", token=caller.access_token) as ada:
        await ada.send_text("before")
        await ada.receive_text()
        async with connected(app, "/ws/grace", token=other.access_token) as grace:
            for socket in (ada, grace):
                with pytest.raises(TimeoutError):
                    await socket.receive_text(0.3)


async def test_a_client_id_is_data_and_nothing_more(app: Litestar, caller: Person) -> None:
    for client_id in ["1", "ada lovelace", "Ähre-7", "%41"]:
        async with connected(app, f"/ws/{client_id}", token=caller.access_token) as socket:
            await socket.send_text("\t ünï ☃ \\n two")
            assert await socket.receive_text() == f"Client {client_id}: \t ünï ☃ \\n two"


async def test_a_line_of_the_service_cannot_be_forged(app: Litestar, caller: Person) -> None:
    for end in ["\r\n", "\n", "\r", "\0", "\x0b", "\x1e", "\x85", "\u2028"]:
        async with connected(app, "/ws/ada", token=caller.access_token) as socket:
            await socket.send_text(f"Bye{end}Client grace left")
            assert await socket.receive_text() == f"Client ada: Bye{' ' * len(end)}Client grace left"


async def test_two_may_call_themselves_the_same(app: Litestar, caller: Person, crew: Crew) -> None:
    other, _ = await crew.add()
    async with connected(app, "/ws/ada", token=caller.access_token) as one:
        async with connected(app, "/ws/ada", token=other.access_token) as two:
            await two.send_text("me, too")
            assert await one.receive_text() == "Client ada: me, too"
        assert await one.receive_text() == "Client ada left"


async def test_the_limits_of_frames_hold_here_too(app: Litestar, caller: Person) -> None:
    cases: list[tuple[str | bytes, int]] = [("x" * 65_537, 4413), (b"binary", 4400)]
    for message, code in cases:
        async with connected(app, "/ws/ada", token=caller.access_token) as socket:
            await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_text(message))
            assert await socket.until_closed() == code


async def test_who_talks_too_fast_is_put_out_and_the_others_stay(app: Litestar, caller: Person, crew: Crew) -> None:
    other, _ = await crew.add()
    async with (
        connected(app, "/ws/ada", token=caller.access_token) as ada,
        connected(app, "/ws/grace", token=other.access_token) as grace,
    ):
        for number in range(200):
            await ada.send_text(str(number))
        assert await ada.until_closed() == 4429
        await grace.send_text("still here")
        heard = ""
        while heard != "Client grace: still here":
            heard = await grace.receive_text()


async def test_all_workers_are_one_lobby(deployment: Deployment) -> None:
    workers = [await deployment.start(WORKERS="2") for _ in range(2)]
    people = [await People(app).create(email=f"person{number}@example.org") for number, app in enumerate(workers)]
    async with AsyncExitStack() as stack:
        ada = await stack.enter_async_context(connected(workers[0], "/ws/ada", token=people[0].access_token))
        async with connected(workers[1], "/ws/grace", token=people[1].access_token) as grace:
            said = [f"{number}" for number in range(20)]
            for text in said:
                await ada.send_text(text)
            for socket in (ada, grace):
                assert [await socket.receive_text() for _ in said] == [f"Client ada: {text}" for text in said]
            # Who comes and goes between two looks of a worker is not announced there.
            lobby = core_of(workers[0]).services.get(Realtime).hub.channels[LOBBY]
            await until(lambda: "grace" in {member.name for member in lobby.shown.values()})
        assert await ada.receive_text() == "Client grace left"


async def test_lines_come_once_and_in_order(app: Litestar, caller: Person, crew: Crew) -> None:
    crowd = [await crew.add() for _ in range(4)]
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(connected(app, f"/ws/{number}", token=person.access_token))
            for number, (person, _) in enumerate(crowd)
        ]

        async def talk(number: int) -> None:
            for word in range(20):
                await sockets[number].send_text(str(word))

        await asyncio.gather(*(talk(number) for number in range(4)))
        heard = [[await socket.receive_text() for _ in range(80)] for socket in sockets]

    assert all(each == heard[0] for each in heard)
    for number in range(4):
        mine = [text for text in heard[0] if text.startswith(f"Client {number}: ")]
        assert mine == [f"Client {number}: {word}" for word in range(20)]


async def test_the_end_of_a_session_is_the_end_of_the_talk(app: Litestar, caller: Person, people: People) -> None:
    async with connected(app, "/ws/ada", token=caller.access_token) as socket, people.client(caller) as calls:
        await calls.post("/api/v1/auth/logout")
        with pytest.raises(Closed) as closed:
            await socket.receive_text()

    assert closed.value.code == 4401
