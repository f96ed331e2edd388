"""Many kills of the server in the middle of a load of orders. Prints what it did."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.lib.db.url import DatabaseURL
from tests.support.databases import migrate, postgresql_database, sqlite_database
from tests.support.killing import survive

KILLS = 15


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[DatabaseURL]:
    """A database of its own, because the server has it, too."""
    kind = (
        sqlite_database() if request.param == "sqlite" else postgresql_database(request.getfixturevalue("postgresql"))
    )
    with kind as url:
        migrate(url)
        yield url


async def test_orders_survive_many_kills(url: DatabaseURL, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load = await survive(url, tmp_path, kills=KILLS, seconds=4.0)

    with capsys.disabled():
        counts = f"{len(load.acknowledged)} orders, {load.refused} refused, {load.cut_off} requests cut off"
        sys.stdout.write(f"\n    {'sqlite' if url.is_sqlite else 'postgresql'}: {KILLS} kills, {counts}")
    assert load.acknowledged
