from collections.abc import AsyncIterator

import pytest_asyncio
from litestar import Litestar

from app.lib.db.url import DatabaseURL
from tests.support.apps import BASE_URL, core_of, forget, running_app
from tests.support.databases import empty


@pytest_asyncio.fixture
async def development(shared_app: Litestar, database_url: DatabaseURL) -> AsyncIterator[Litestar]:
    """An app as a developer starts it, on an empty database; its mails go to a folder."""
    await empty(core_of(shared_app).database)
    await forget(shared_app)
    async with running_app(database_url, ENVIRONMENT="development", PUBLIC_URL=BASE_URL) as app:
        yield app
