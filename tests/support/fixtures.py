"""Fixtures that tests of several folders use, in addition to those of the app; a plugin of pytest."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
import time_machine

from app.lib.db.url import DatabaseURL
from tests.lib.jobs.bench import Bench, bench_on
from tests.support.databases import empty, empty_database, migrate
from tests.support.mailserver import MailServer, mail_server
from tests.support.receivers import Receiver, receiver
from tests.support.service import Registrations, Service


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands still until it is moved, so that no window of a limit ends by itself."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        yield clock


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest) -> Iterator[DatabaseURL]:
    """A database of the test's own that was never migrated."""
    with empty_database(request) as url:
        yield url


@pytest.fixture
def own_url(empty_url: DatabaseURL) -> DatabaseURL:
    """A migrated database of the test's own."""
    migrate(empty_url)
    return empty_url


@pytest_asyncio.fixture
async def bench(database_url: DatabaseURL) -> AsyncIterator[Bench]:
    """An empty queue and no events."""
    async with bench_on(database_url) as bench:
        await empty(bench.database)
        yield bench
        await empty(bench.database)


@pytest_asyncio.fixture
async def mail() -> AsyncIterator[MailServer]:
    """A real SMTP server."""
    async with mail_server() as server:
        yield server


@pytest_asyncio.fixture
async def inbox() -> AsyncIterator[Receiver]:
    """A real server for webhooks."""
    async with receiver(tls=False) as server:
        yield server


@pytest.fixture
def registrations(service: Service) -> Registrations:
    """Of people, at the server that the folder's ``service`` is."""
    return Registrations(service)
