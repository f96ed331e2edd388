"""People in a room of a running service, while connections break."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.lib.db.url import DatabaseURL
from clients.python.lodestar_client.realtime import Realtime
from tests.clients.driven import JavaScriptClient
from tests.served.harbour import Harbour, Listener, Talker, check, realtime_of
from tests.support.databases import migrate, postgresql_database, sqlite_database
from tests.support.valkey import Valkey, running_valkey
from tests.support.waiting import until, until_it_holds

RECONNECTS = 100
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
            listener = Listener(await client.subscribe(self._harbour.channel))
            self.listeners.append(listener)
            self._stack.push_async_callback(listener.stop)
        self.talkers = [
            Talker(client, self._harbour.channel, name)
            for client, name in zip(self.clients, ("Ada", "Bob"), strict=False)
        ]

    async def _open_browser(self) -> None:
        person = await self._harbour.member("Dan")
        browser = JavaScriptClient(self._address, [person.access_token], 60.0)
        await browser.start()
        self._stack.push_async_callback(browser.close)
        await browser.subscribe(self._harbour.channel, since=0)
        self.browsers.append((browser, 1))

    async def is_complete(self) -> bool:
        """Whether everybody listens at the moment."""
        browsers = [await browser.is_live(self._harbour.channel) for browser, _ in self.browsers]
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
            heard = browser.happenings[self._harbour.channel]
            await until(partial(has_heard, heard, last_id), PATIENCE)
            assert not [each for each in heard if each["kind"] == "lost"]
            check([(each["id"], each["data"]) for each in heard if each["kind"] == "event"], first_id, self.talkers)


async def come_and_go(harbour: Harbour, reconnects: int) -> None:
    """While connections break that often, everybody hears every word once and in order."""
    async with harbour.proxy() as proxy, AsyncExitStack() as stack:
        crowd = Crowd(harbour, f"http://127.0.0.1:{proxy.port}", stack)
        await crowd.gather()
        while sum(client.connections - 1 for client in crowd.clients) < reconnects:
            await until_it_holds(crowd.is_complete, PATIENCE)
            for _ in range(random.randint(1, 2)):  # noqa: S311 - sometimes again in the middle of coming back
                await asyncio.sleep(random.uniform(0, 0.2))  # noqa: S311 - any moment
                proxy.drop()

        await crowd.until_all_is_heard()


def has_heard(heard: list[dict[str, Any]], last_id: int) -> bool:
    return any(each.get("id") == last_id for each in heard)
