"""Each test of the hub runs on every fan-out, with the database that goes with it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from app.lib.events.fanout import Fanout, PostgreSQLFanout, SilentFanout
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


class Place:
    """A database, and the fan-out that goes with it."""

    def __init__(self, kind: str, request: pytest.FixtureRequest) -> None:
        sqlite = kind in {"memory", "silent"}
        self.url: DatabaseURL = request.getfixturevalue("realtime_sqlite" if sqlite else "realtime_postgresql")
        self._kind = kind

    def fanout(self) -> Fanout:
        if self._kind == "postgresql":
            return PostgreSQLFanout(self.url)
        return SilentFanout() if self._kind == "silent" else Fanout()


@pytest.fixture(params=["memory", "postgresql"])
def place(request: pytest.FixtureRequest) -> Place:
    """For one worker: each database."""
    return Place(request.param, request)


@pytest.fixture(params=["silent", "postgresql"])
def shared_place(request: pytest.FixtureRequest) -> Place:
    """For several workers: without hints, and with them. Valkey carries them in test_outages."""
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
    async with bench_on(realtime_sqlite, Fanout) as bench:
        yield bench
