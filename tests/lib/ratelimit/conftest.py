from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import MetaData
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.lib.db.engine import prepare_sqlite
from app.lib.ratelimit.counters import Counters, MemoryCounters, TableCounters, rate_limit_table
from app.lib.ratelimit.redis import RedisCounters
from tests.support.databases import postgresql_database
from tests.support.valkey import running_valkey

MakeCounters = Callable[[], Counters]


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    with running_valkey() as valkey:
        yield valkey.url


@pytest.fixture(scope="session")
def postgresql_url(postgresql: URL) -> Iterator[str]:
    with postgresql_database(postgresql) as url:
        yield url.url.render_as_string(hide_password=False)


def url_of(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{folder / 'limits.db'}"
    return "memory" if request.param == "memory" else str(request.getfixturevalue(f"{request.param}_url"))


async def engines(url: str, stack: AsyncExitStack) -> Callable[[], AsyncEngine]:
    is_sqlite = url.startswith("sqlite")

    def make() -> AsyncEngine:
        engine = create_async_engine(url, pool_size=1 if is_sqlite else 5, max_overflow=0)
        if is_sqlite:  # the writer of the service
            prepare_sqlite(engine)
        stack.push_async_callback(engine.dispose)
        return engine

    metadata = MetaData()
    rate_limit_table(metadata)
    async with make().begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return url_of(request, tmp_path)


@pytest.fixture
async def make_engine(engine_url: str) -> AsyncIterator[Callable[[], AsyncEngine]]:
    """Each call is the engine of another process on the same database, which has the table."""
    async with AsyncExitStack() as stack:
        yield await engines(engine_url, stack)


@pytest.fixture(params=["memory", "valkey", "sqlite", "postgresql"])
def counters_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return url_of(request, tmp_path)


@pytest.fixture
async def make_counters(counters_url: str) -> AsyncIterator[MakeCounters]:
    """Each call is another process's view of the same counters (memory: those of the one process)."""
    async with AsyncExitStack() as stack:
        if counters_url == "memory":
            counters = MemoryCounters()
            yield lambda: counters
        elif counters_url.startswith("unix:"):
            prefix = uuid4().hex

            def connect() -> Counters:
                shared = RedisCounters(counters_url, key_prefix=prefix)
                stack.push_async_callback(shared.close)
                return shared

            yield connect
        else:
            make = await engines(counters_url, stack)
            yield lambda: TableCounters(make(), rate_limit_table(MetaData()))
