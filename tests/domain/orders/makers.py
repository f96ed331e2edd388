"""How a client gets what the paths of these routes name, for the contract tests of all routes."""

from typing import Any

from tests.support.making import Maker, Making
from tests.support.shop import API, order_body, product_body

STEPS_BEFORE = {"shipOrder": ["pay"], "refundOrder": ["pay"], "deliverOrder": ["pay", "ship"]}


async def make_order(making: Making) -> Any:
    """The caller's own, on which the operation is possible."""
    product = (await making.client.post(f"{API}/products", json=product_body())).raise_for_status().json()
    order = (await making.client.post(f"{API}/orders", json=order_body((product["id"], 1)))).raise_for_status().json()
    for verb in STEPS_BEFORE.get(making.operation_id, []):
        (await making.client.post(f"{API}/orders/{order['id']}/{verb}")).raise_for_status()
    return order["id"]


MAKERS: dict[str, Maker] = {"order_id": make_order}
