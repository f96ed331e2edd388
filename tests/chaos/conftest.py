import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.lib.db.url import DatabaseURL
from tests.served.crowd import harbour, url, valkey, way
from tests.support.mailserver import MailServer
from tests.support.service import Service

__all__ = ["harbour", "url", "valkey", "way"]

Tell = Callable[[str], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Tell:
    """Writes a line to the terminal."""

    def write(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n    {request.node.callspec.id}: {text}")
            sys.stdout.flush()

    return write


@pytest.fixture
def service(own_url: DatabaseURL, mail: MailServer, tmp_path: Path) -> Iterator[Service]:
    """With three worker processes; not started yet."""
    service = Service(own_url, tmp_path, mail.port, workers=3)
    yield service
    service.close()
