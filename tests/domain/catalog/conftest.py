from collections.abc import AsyncIterator

import pytest_asyncio
from litestar import Litestar

from tests.support.people import People
from tests.support.shop import Shop, open_shop


@pytest_asyncio.fixture
async def shop(app: Litestar, people: People) -> AsyncIterator[Shop]:
    async with open_shop(app, people) as shop:
        yield shop
