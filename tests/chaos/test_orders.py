"""Many kills of the server in the middle of a load of orders. Prints what it did."""

import sys
from pathlib import Path

import pytest

from app.lib.db.url import DatabaseURL
from tests.support.killing import survive

KILLS = 15


async def test_orders_survive_many_kills(
    own_url: DatabaseURL, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = await survive(own_url, tmp_path, kills=KILLS, seconds=4.0)

    with capsys.disabled():
        counts = f"{len(load.acknowledged)} orders, {load.refused} refused, {load.cut_off} requests cut off"
        sys.stdout.write(f"\n    {'sqlite' if own_url.is_sqlite else 'postgresql'}: {KILLS} kills, {counts}")
    assert load.acknowledged
