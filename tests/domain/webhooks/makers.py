"""How a client gets what the paths of these routes name, for the contract tests of all routes."""

from uuid import UUID

from tests.support.making import Maker, Making
from tests.support.webhooks import webhook_of


async def make_webhook(making: Making) -> UUID:
    """With a delivery that has failed."""
    webhook_id, making.found["delivery_id"] = await webhook_of(making.boss.id, making.people.core)
    return webhook_id


async def make_delivery(making: Making) -> UUID:
    making.found["webhook_id"], delivery_id = await webhook_of(making.boss.id, making.people.core)
    return delivery_id


MAKERS: dict[str, Maker] = {"webhook_id": make_webhook, "delivery_id": make_delivery}
