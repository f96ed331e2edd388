from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
import pytest_asyncio
import time_machine
from litestar import Litestar

from app.lib.db.url import DatabaseURL
from tests.support.apps import components_of, forget, running_app
from tests.support.databases import empty


class Deployment:
    """Apps on one empty database, each as if in a process of its own; all stop at the end of the test."""

    def __init__(self, url: DatabaseURL, stack: AsyncExitStack) -> None:
        self.url = url
        self._stack = stack

    async def start(self, **overrides: str) -> Litestar:
        """One more app, with these environment variables."""
        return await self._stack.enter_async_context(running_app(self.url, **overrides))


@pytest_asyncio.fixture
async def deployment(shared_app: Litestar, database_url: DatabaseURL) -> AsyncIterator[Deployment]:
    """For tests that need other settings, or more than one worker."""
    await empty(components_of(shared_app).database)
    await forget(shared_app)
    async with AsyncExitStack() as stack:
        yield Deployment(database_url, stack)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands still until it is moved, so that no window of a limit ends by itself."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        yield clock
