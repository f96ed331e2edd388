from collections.abc import AsyncIterator

import pytest_asyncio

from app.lib.db.url import DatabaseURL
from tests.lib.jobs.bench import Bench, bench_on
from tests.support.databases import empty


@pytest_asyncio.fixture
async def bench(database_url: DatabaseURL) -> AsyncIterator[Bench]:
    """An empty queue."""
    async with bench_on(database_url) as bench:
        await empty(bench.database)
        yield bench
        await empty(bench.database)
