"""Channels while connections break, workers die and what lies between the workers goes away."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from websockets.asyncio.client import connect

from app.lib.db.url import DatabaseURL
from clients.python.lodestar_realtime import Realtime
from tests.clients.driven import CLIENTS, JavaScriptClient
from tests.served.harbour import CHANNEL, Harbour, Listener, Talker, check, realtime_of
from tests.support.databases import migrate, postgresql_database, sqlite_database
from tests.support.valkey import Valkey, running_valkey
from tests.support.waiting import until, until_it_holds

RECONNECTS = 100
AT_ONCE = 80
PATIENCE = 60.0
WAYS = {"memory": 1, "sqlite": 2, "postgresql": 2, "valkey": 2}
"""How workers hear of each other, and how many there are."""


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with running_valkey() as valkey:
        yield valkey


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    """One of them."""
    return str(request.param)


@pytest.fixture
def url(request: pytest.FixtureRequest, way: str) -> Iterator[DatabaseURL]:
    """A migrated database of the test's own."""
    on_sqlite = way in {"memory", "sqlite"}
    kind = sqlite_database() if on_sqlite else postgresql_database(request.getfixturevalue("postgresql"))
    with kind as url:
        migrate(url)
        yield url


@pytest_asyncio.fixture
async def harbour(request: pytest.FixtureRequest, way: str, url: DatabaseURL, tmp_path: Path) -> AsyncIterator[Harbour]:
    redis_url = request.getfixturevalue("valkey").url if way == "valkey" else None
    harbour = Harbour(url, tmp_path, workers=WAYS[way], redis_url=redis_url)
    try:
        await harbour.open()
        yield harbour
    finally:
        await harbour.close()


class Crowd:
    """Two who talk, and one each in Python and JavaScript who listen."""

    def __init__(self, harbour: Harbour, address: str, stack: AsyncExitStack) -> None:
        self.clients: list[Realtime] = []
        self.talkers: list[Talker] = []
        self.listeners: list[Listener] = []
        self.browsers: list[tuple[JavaScriptClient, int]] = []
        self._harbour, self._address, self._stack = harbour, address, stack

    async def gather(self) -> None:
        for name in ("Ada", "Bob", "Cy"):
            person = await self._harbour.member(name)
            self.clients.append(await self._stack.enter_async_context(realtime_of(person, self._address)))
        await self._open_browser()
        for client in self.clients:
            listener = Listener(await client.subscribe(CHANNEL))
            self.listeners.append(listener)
            self._stack.push_async_callback(listener.stop)
        self.talkers = [Talker(client, name) for client, name in zip(self.clients, ("Ada", "Bob"), strict=False)]

    async def _open_browser(self) -> None:
        person = await self._harbour.member("Dan")
        browser = JavaScriptClient(self._address, [person.access_token], 60.0)
        await browser.start()
        self._stack.push_async_callback(browser.close)
        await browser.subscribe(CHANNEL, since=0)
        self.browsers.append((browser, 1))

    async def is_complete(self) -> bool:
        """Whether everybody listens at the moment."""
        browsers = [await browser.is_live(CHANNEL) for browser, _ in self.browsers]
        return all(browsers) and all(listener.subscription.is_live for listener in self.listeners)

    async def until_all_is_heard(self) -> None:
        """Ends the talk, waits for its last word everywhere, and checks what everybody has heard."""
        for talker in self.talkers:
            await talker.stop()
        last_id = max(max(talker.said) for talker in self.talkers)
        await until(lambda: all(listener.last_id >= last_id for listener in self.listeners), PATIENCE)
        for listener in self.listeners:
            assert not listener.lost
            check(listener.heard, listener.first_id, self.talkers)
        for browser, first_id in self.browsers:
            told = browser.happenings[CHANNEL]
            await until(partial(has_heard, told, last_id), PATIENCE)
            assert not [each for each in told if each["kind"] == "lost"]
            check([(each["id"], each["data"]) for each in told if each["kind"] == "event"], first_id, self.talkers)


async def test_nothing_is_lost_doubled_or_out_of_order_across_100_reconnects(harbour: Harbour) -> None:
    async with harbour.proxy() as proxy, AsyncExitStack() as stack:
        crowd = Crowd(harbour, f"http://127.0.0.1:{proxy.port}", stack)
        await crowd.gather()
        while sum(client.connections - 1 for client in crowd.clients) < RECONNECTS:
            await until_it_holds(crowd.is_complete, PATIENCE)
            for _ in range(random.randint(1, 2)):  # noqa: S311 - sometimes again in the middle of coming back
                await asyncio.sleep(random.uniform(0, 0.2))  # noqa: S311 - any moment
                proxy.drop()

        await crowd.until_all_is_heard()


@pytest.mark.parametrize("way", ["memory"], indirect=True)
@pytest.mark.parametrize("language", list(CLIENTS))
async def test_clients_are_never_too_fast(harbour: Harbour, language: str) -> None:
    person = await harbour.member("Ada")
    client = CLIENTS[language](harbour.address, [person.access_token], 60.0)
    await client.start()
    try:
        await client.subscribe(CHANNEL)
        ids = await asyncio.gather(*(client.publish(CHANNEL, {"number": number}) for number in range(AT_ONCE)))
        await until(lambda: len(client.happenings[CHANNEL]) > AT_ONCE, PATIENCE)
    finally:
        await client.close()

    assert ids == list(range(ids[0], ids[0] + AT_ONCE))
    told = [each for each in client.happenings[CHANNEL] if each["kind"] == "event"]
    assert [each["data"]["number"] for each in told] == list(range(AT_ONCE))
    assert {each["kind"] for each in client.happenings[CHANNEL]} == {"presence", "event"}  # it never had to come back


@pytest.mark.parametrize("way", ["valkey"], indirect=True)
async def test_a_restart_of_valkey_loses_nothing(harbour: Harbour, valkey: Valkey) -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(harbour, harbour.address, stack)
        await crowd.gather()
        for _ in range(3):
            await until_more_is_said(crowd)
            await asyncio.to_thread(valkey.stop)
            await until_more_is_said(crowd)
            await asyncio.to_thread(valkey.start)

        await crowd.until_all_is_heard()
        assert {client.connections for client in crowd.clients} == {1}


@pytest.mark.parametrize("way", ["postgresql"], indirect=True)
@pytest.mark.parametrize("whose", ["application_name = 'lodestar realtime'", "true"], ids=["listen", "all"])
async def test_cut_connections_of_the_database_lose_nothing(harbour: Harbour, whose: str) -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(harbour, harbour.address, stack)
        await crowd.gather()
        for _ in range(5):
            await until_more_is_said(crowd)
            await until_it_holds(partial(cut, harbour, whose), PATIENCE)

        await crowd.until_all_is_heard()
        assert {client.connections for client in crowd.clients} == {1}


def has_heard(told: list[dict[str, Any]], last_id: int) -> bool:
    return any(each.get("id") == last_id for each in told)


async def until_more_is_said(crowd: Crowd) -> None:
    before = [len(talker.said) for talker in crowd.talkers]
    await until(
        lambda: all(len(talker.said) > count for talker, count in zip(crowd.talkers, before, strict=True)), PATIENCE
    )


async def cut(harbour: Harbour, whose: str) -> bool:
    """Ends connections of the service to its database, as an administrator would. False when there are none."""
    statement = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "  # noqa: S608 - our own condition
        f"WHERE datname = current_database() AND pid <> pg_backend_pid() AND {whose}"
    )
    async with harbour.components.database.engine.connect() as connection:
        return bool((await connection.execute(statement)).scalar_one())


@pytest.mark.parametrize("way", ["sqlite", "postgresql", "valkey"], indirect=True)
async def test_presence_is_right_after_a_worker_was_killed(harbour: Harbour) -> None:
    async with AsyncExitStack() as stack:
        watcher = await harbour.member("Ada")
        watching = await stack.enter_async_context(realtime_of(watcher, harbour.address))
        subscription = await watching.subscribe(CHANNEL)
        crew = [await harbour.member(f"Sailor {number}") for number in range(6)]
        boats = [Boat(harbour, person.access_token) for person in crew]
        for boat in boats:
            await boat.board(stack)
        everybody = {str(watcher.id), *(str(person.id) for person in crew)}
        await until(lambda: {member.id for member in subscription.members} == everybody, PATIENCE)

        for pid in sorted(harbour.server.workers()):
            if not any(boat.has_sunk for boat in boats):
                await harbour.kill_worker(pid)
                await asyncio.sleep(0.5)

        gone = {str(person.id) for person, boat in zip(crew, boats, strict=True) if boat.has_sunk}
        assert gone
        await until(lambda: {member.id for member in subscription.members} == everybody - gone, PATIENCE)
        await until_it_holds(lambda: harbour_is_ready(harbour), PATIENCE)


async def harbour_is_ready(harbour: Harbour) -> bool:
    return await asyncio.to_thread(harbour.server.answers, "/health/ready")


class Boat:
    """A connection that does not come back."""

    def __init__(self, harbour: Harbour, token: str) -> None:
        self._address = harbour.address.replace("http", "ws") + "/api/v1/realtime"
        self._token = token
        self._sinking: asyncio.Task[None] | None = None

    @property
    def has_sunk(self) -> bool:
        return self._sinking is not None and self._sinking.done()

    async def board(self, stack: AsyncExitStack) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        connection = await stack.enter_async_context(
            connect(self._address, additional_headers=headers, ping_interval=None)
        )
        await connection.send(json.dumps({"type": "subscribe", "channel": CHANNEL}))
        assert json.loads(await connection.recv())["type"] == "subscribed"
        self._sinking = asyncio.create_task(connection.wait_closed())
