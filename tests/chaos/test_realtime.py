"""A hundred broken connections for each way in which workers hear of each other."""

from tests.served.crowd import RECONNECTS, come_and_go
from tests.served.harbour import Harbour


async def test_nothing_is_lost_doubled_or_out_of_order_across_100_reconnects(harbour: Harbour) -> None:
    await come_and_go(harbour, RECONNECTS)
