from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import URL, text

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from tests.lib.pagination.toys import TOYS, ToyStore, make_rows
from tests.support.databases import postgresql_database

ROWS = 2_000


@pytest.fixture(scope="session")
def toys_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> DatabaseURL:
    path = tmp_path_factory.mktemp("sqlite") / "toys.db"
    path.touch()
    return DatabaseURL.parse(f"sqlite:///{path}")


@pytest.fixture(scope="session")
def toys_on_postgresql(postgresql: URL) -> Iterator[DatabaseURL]:
    with postgresql_database(postgresql) as url:
        yield url


@pytest.fixture(scope="session")
async def on_postgresql(toys_on_postgresql: DatabaseURL) -> AsyncIterator[ToyStore]:
    async for store in _filled(toys_on_postgresql):
        yield store


@pytest.fixture(scope="session")
async def sqlite(toys_on_sqlite: DatabaseURL) -> AsyncIterator[ToyStore]:
    async for store in _filled(toys_on_sqlite):
        yield store


@pytest.fixture(params=["sqlite", "on_postgresql"], ids=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> ToyStore:
    """The same toys in either database. Tests put it back as they found it."""
    found: ToyStore = request.getfixturevalue(request.param)
    found.statements.clear()
    return found


async def _filled(url: DatabaseURL) -> AsyncIterator[ToyStore]:
    database = Database(DatabaseOptions(url=url, pool_size=2))
    await database.start()
    store = ToyStore(database.engine, database.reader, make_rows(ROWS, seed=7))
    async with database.engine.begin() as connection:
        await connection.run_sync(TOYS.metadata.create_all)
    await store.insert(store.rows)
    async with database.engine.begin() as connection:
        await connection.execute(text("ANALYZE"))
    yield store
    await database.close()
