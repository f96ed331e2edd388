"""The server is killed in the middle of a load of orders; nothing is lost, doubled or oversold."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.lib.db.url import DatabaseURL
from tests.support.databases import migrate, postgresql_database, sqlite_database
from tests.support.killing import survive


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[DatabaseURL]:
    """A database of its own, because the server has it, too."""
    kind = (
        sqlite_database() if request.param == "sqlite" else postgresql_database(request.getfixturevalue("postgresql"))
    )
    with kind as url:
        migrate(url)
        yield url


async def test_orders_survive_kills_of_the_server(url: DatabaseURL, tmp_path: Path) -> None:
    load = await survive(url, tmp_path, kills=2, seconds=2.0)

    assert load.acknowledged
    assert load.cut_off
