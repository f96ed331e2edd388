from collections.abc import AsyncIterator

import pytest_asyncio

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from tests.lib.http.ledger import Ledger, ledger_on


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_ledger(database_url: DatabaseURL) -> AsyncIterator[Ledger]:
    database = Database(DatabaseOptions(url=database_url, pool_size=5))
    try:
        async with ledger_on(database) as ledger:
            yield ledger
    finally:
        await database.close()


@pytest_asyncio.fixture
async def ledger(shared_ledger: Ledger) -> Ledger:
    """A toy that writes, empty, on SQLite and on PostgreSQL."""
    await shared_ledger.reset()
    return shared_ledger
