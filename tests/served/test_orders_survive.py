"""The server is killed in the middle of a load of orders; nothing is lost, doubled or oversold."""

from pathlib import Path

from app.lib.db.url import DatabaseURL
from tests.support.killing import survive


async def test_orders_survive_kills_of_the_server(own_url: DatabaseURL, tmp_path: Path) -> None:
    load = await survive(own_url, tmp_path, kills=2, seconds=2.0)

    assert load.acknowledged
    assert load.cut_off
