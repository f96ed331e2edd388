from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import delete

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.prepared import prepare
from app.lib.db.uow import UnitOfWork
from app.lib.db.url import DatabaseURL
from tests.lib.db.toys import ToyBase
from tests.support.databases import empty_database

OpenDatabase = Callable[..., Awaitable[Database]]
Run = Callable[[UnitOfWork, Any], Awaitable[object]]


@pytest.fixture(params=["session", "prepared"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a statement in a unit of work, in each of the two ways; both must fail in the same way."""

    async def through_session(unit: UnitOfWork, statement: Any) -> object:
        return await unit.session.execute(statement)

    async def prepared(unit: UnitOfWork, statement: Any) -> object:
        return await unit.execute(prepare(statement))

    return through_session if request.param == "session" else prepared


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def toys_url(request: pytest.FixtureRequest) -> Iterator[DatabaseURL]:
    """A database of these tests alone."""
    with empty_database(request) as url:
        if url.is_sqlite:
            url.path.touch()  # the service never makes the file; migrations do
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_toys(toys_url: DatabaseURL) -> AsyncIterator[Database]:
    database = Database(DatabaseOptions(url=toys_url, pool_size=3))
    await database.start()
    async with database.engine.begin() as connection:
        await connection.run_sync(ToyBase.metadata.create_all)
    yield database
    await database.close()


@pytest_asyncio.fixture
async def toys(shared_toys: Database) -> Database:
    """The toys' tables, empty."""
    async with shared_toys.engine.begin() as connection:
        for table in reversed(ToyBase.metadata.sorted_tables):
            await connection.execute(delete(table))
    return shared_toys


@pytest_asyncio.fixture
async def another(toys: Database) -> AsyncIterator[OpenDatabase]:
    """Opens one more :class:`Database` on the same database, as another process would."""
    async with AsyncExitStack() as stack:

        async def open_database(url: DatabaseURL | None = None, **options: object) -> Database:
            database = Database(DatabaseOptions(url=url or toys.url, **options))  # type: ignore[arg-type]  # by name
            await database.start()
            stack.push_async_callback(database.close)
            return database

        yield open_database
