from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest_asyncio

from tests.domain.realtime.steps import Crew
from tests.support.people import People


@pytest_asyncio.fixture
async def crew(people: People) -> AsyncIterator[Crew]:
    """Makes further people."""
    async with AsyncExitStack() as stack:
        yield Crew(people, stack)
