import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from app.lib.db.url import DatabaseURL
from tests.lib.jobs.bench import Bench, bench_on
from tests.support.databases import empty, own_database
from tests.support.mailserver import MailServer, mail_server
from tests.support.service import Registrations, Service

Tell = Callable[[str], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Tell:
    """Writes a line to the terminal."""

    def write(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n    {request.node.callspec.id}: {text}")
            sys.stdout.flush()

    return write


@pytest_asyncio.fixture
async def bench(database_url: DatabaseURL) -> AsyncIterator[Bench]:
    """An empty queue."""
    async with bench_on(database_url) as bench:
        await empty(bench.database)
        yield bench
        await empty(bench.database)


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
    """With three worker processes; not started yet."""
    service = Service(own_url, tmp_path, mail.port, workers=3)
    yield service
    service.close()


@pytest.fixture
def registrations(service: Service) -> Registrations:
    return Registrations(service)
