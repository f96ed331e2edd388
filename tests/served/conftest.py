from collections.abc import Iterator
from pathlib import Path

import pytest

from app.lib.db.url import DatabaseURL
from tests.served.crowd import harbour, url, valkey, way
from tests.support.mailserver import MailServer
from tests.support.service import Service

__all__ = ["harbour", "url", "valkey", "way"]


@pytest.fixture
def service(own_url: DatabaseURL, mail: MailServer, tmp_path: Path) -> Iterator[Service]:
    """Not started yet."""
    service = Service(own_url, tmp_path, mail.port)
    yield service
    service.close()
