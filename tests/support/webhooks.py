"""Webhooks made in the database, without asking for them."""

from uuid import UUID

from app.core import Core
from app.domain.webhooks.models import WebhookDelivery, WebhookEndpoint
from app.domain.webhooks.repositories import FAILED, WebhookRepository
from app.domain.webhooks.services.secrets import set_secret
from app.lib.db.base import new_id


async def webhook_of(owner_id: UUID, core: Core) -> tuple[UUID, UUID]:
    """A webhook of a user, and a delivery of it that has failed; their ids."""
    webhook = WebhookEndpoint(id=new_id(), owner_id=owner_id, url="https://hooks.example.com/in", is_active=True)
    set_secret(webhook, core.sealer)
    async with core.database.independent() as unit:
        webhooks = WebhookRepository(unit)
        await webhooks.create(webhook)
        await webhooks.set_kinds(webhook.id, ["user.updated"])
        delivery = WebhookDelivery(
            endpoint_id=webhook.id, event_id=new_id(), kind="user.updated", body="{}", status=FAILED, attempts=10
        )
        unit.session.add(delivery)
        await unit.session.flush()
    return webhook.id, delivery.id
