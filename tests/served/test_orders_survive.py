"""The server is killed in the middle of a load of orders; nothing is lost, doubled or oversold.

The chaos recipe does it again and again.
"""

from pathlib import Path

from app.lib.db.url import DatabaseURL
from tests.support.killing import survive


async def test_orders_survive_a_kill_of_the_server(own_url: DatabaseURL, tmp_path: Path) -> None:
    load = await survive(own_url, tmp_path, kills=1, seconds=1.5)

    assert load.acknowledged
    assert load.cut_off
