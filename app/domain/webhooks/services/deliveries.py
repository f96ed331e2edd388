from uuid import UUID

from app.domain.webhooks.dtos import DeliveryRead
from app.domain.webhooks.errors import DeliveryNotFound, DeliveryPending, WebhookInactive, WebhookNotFound
from app.domain.webhooks.models import WebhookDelivery, WebhookEndpoint
from app.domain.webhooks.repositories import PENDING, DeliveryRepository, WebhookRepository
from app.domain.webhooks.services.enqueueing import EnqueueDelivery
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.security.principal import Principal
from app.lib.webhooks.kinds import WebhookEvent
from app.lib.wire.dto import project

TEST_KIND = "webhook.test"
"""Sent when its owner asks for it, whatever the webhook subscribes to; tried once."""


class DeliveryService:
    """Deliveries that owners ask for by hand."""

    def __init__(self, unit: UnitOfWork, enqueue: EnqueueDelivery) -> None:
        self._unit = unit
        self._enqueue = enqueue
        self._webhooks = WebhookRepository(session=unit.session)
        self._deliveries = DeliveryRepository(session=unit.session)

    async def test(self, webhook_id: UUID, actor: Principal) -> DeliveryRead:
        """Raises ``WebhookNotFound`` or ``WebhookInactive``."""
        await self._require_active(webhook_id, actor)
        event = WebhookEvent(id=new_id(), kind=TEST_KIND, occurred_at=utc_now(), data={"webhook_id": webhook_id})
        now = utc_now()
        delivery = await self._deliveries.insert(
            WebhookDelivery(
                endpoint_id=webhook_id,
                event_id=event.id,
                kind=event.kind,
                body=event.body(),
                status=PENDING,
                attempts=0,
                next_attempt_at=now,
            )
        )
        await self._enqueue(self._unit, delivery.id)
        return to_read(delivery)

    async def replay(self, webhook_id: UUID, delivery_id: UUID, actor: Principal) -> DeliveryRead:
        """Makes an attempt now, under the same ``webhook-id``. What is over begins from its first attempt again.

        Raises ``DeliveryNotFound``, ``DeliveryPending`` or ``WebhookInactive``.
        """
        try:
            await self._require_active(webhook_id, actor)
        except WebhookNotFound:
            raise DeliveryNotFound from None
        delivery = await self._deliveries.lock_own(delivery_id, webhook_id)
        if delivery is None:
            raise DeliveryNotFound
        if not await self._enqueue(self._unit, delivery_id):
            raise DeliveryPending
        if delivery.status != PENDING:
            delivery.status, delivery.attempts = PENDING, 0
        delivery.next_attempt_at = utc_now()
        await self._deliveries.flush()
        return to_read(delivery)

    async def _require_active(self, webhook_id: UUID, actor: Principal) -> WebhookEndpoint:
        webhook = await self._webhooks.lock_own(webhook_id, actor.user_id)
        if webhook is None:
            raise WebhookNotFound
        if not webhook.is_active:
            raise WebhookInactive
        return webhook


def to_read(delivery: WebhookDelivery) -> DeliveryRead:
    """A delivery as it is shown, from the entity just written."""
    return project(DeliveryRead, delivery, webhook_id=delivery.endpoint_id)
