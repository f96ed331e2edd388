from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from app.lib.db.url import DatabaseURL
from tests.support.databases import own_database
from tests.support.mailserver import MailServer, mail_server
from tests.support.service import Registrations, Service


@pytest.fixture(params=["sqlite", "postgresql"])
def own_url(request: pytest.FixtureRequest) -> Iterator[DatabaseURL]:
    """A migrated database of the test's own."""
    with own_database(request) as url:
        yield url


@pytest_asyncio.fixture
async def mail() -> AsyncIterator[MailServer]:
    """A real SMTP server."""
    async with mail_server() as server:
        yield server


@pytest.fixture
def service(own_url: DatabaseURL, mail: MailServer, tmp_path: Path) -> Iterator[Service]:
    """Not started yet."""
    service = Service(own_url, tmp_path, mail.port)
    yield service
    service.close()


@pytest.fixture
def registrations(service: Service) -> Registrations:
    return Registrations(service)
