from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest_asyncio
from litestar import Litestar

from tests.domain.realtime.steps import Crew
from tests.support.people import People
from tests.support.shop import Shop, open_shop


@pytest_asyncio.fixture
async def crew(people: People) -> AsyncIterator[Crew]:
    """Makes further people."""
    async with AsyncExitStack() as stack:
        yield Crew(people, stack)


@pytest_asyncio.fixture
async def shop(app: Litestar, people: People) -> AsyncIterator[Shop]:
    async with open_shop(app, people) as shop:
        yield shop
