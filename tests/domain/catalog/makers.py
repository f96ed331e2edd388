"""How a client gets what the paths of these routes name, for the contract tests of all routes."""

from typing import Any

from app.lib.db.base import new_id
from tests.support.making import Maker, Making


async def make_product(making: Making) -> Any:
    price = {"amount": "19.90", "currency": "EUR"}
    body = {"sku": new_id().hex, "name": "Lamp", "price": price, "stock": 1000}
    return (await making.client.post("/api/v1/products", json=body)).raise_for_status().json()["id"]


MAKERS: dict[str, Maker] = {
    "product_id": make_product,
    "movement_id": ("/api/v1/products/{product_id}/stock-movements", {"delta": 1, "reason": "Counted"}),
}
