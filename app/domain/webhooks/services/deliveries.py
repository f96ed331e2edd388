from dataclasses import dataclass
from uuid import UUID

from app.domain.webhooks.dtos import DeliveryRead
from app.domain.webhooks.errors import (
    DeliveryNotFound,
    DeliveryPending,
    TooManyPending,
    WebhookInactive,
    WebhookNotFound,
)
from app.domain.webhooks.models import WebhookDelivery
from app.domain.webhooks.repositories import PENDING, DeliveryRepository, WebhookRepository
from app.domain.webhooks.rows import DeliverWebhook
from app.domain.webhooks.services.deliver import TEST_KIND, enqueue_delivery
from app.domain.webhooks.settings import WebhookSettings
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.security.principal import Principal
from app.lib.webhooks.kinds import message_body
from app.lib.wire.dto import project


@dataclass
class DeliveryService:
    """Deliveries that owners ask for by hand."""

    unit: UnitOfWork
    settings: WebhookSettings
    _webhooks: WebhookRepository
    _deliveries: DeliveryRepository

    async def test(self, webhook_id: UUID, actor: Principal) -> DeliveryRead:
        """Sends a test event. Raises ``WebhookNotFound``, ``WebhookInactive`` or ``TooManyPending``."""
        await self._require_active(webhook_id, actor)
        await self._require_room(webhook_id)
        now = utc_now()
        delivery = await self._deliveries.create(
            WebhookDelivery(
                endpoint_id=webhook_id,
                event_id=new_id(),
                kind=TEST_KIND,
                body=message_body(TEST_KIND, now, {"webhook_id": webhook_id}),
                status=PENDING,
                attempts=0,
                next_attempt_at=now,
            )
        )
        await enqueue_delivery(self.unit, DeliverWebhook(delivery.id, actor.user_id))
        return _to_read(delivery)

    async def retry(self, webhook_id: UUID, delivery_id: UUID, if_match: IfMatch, actor: Principal) -> DeliveryRead:
        """Makes an attempt now, under the same ``webhook-id``. What has succeeded or failed starts again with its first
        attempt.

        Raises ``DeliveryNotFound``, ``PreconditionFailed``, ``DeliveryPending``, ``WebhookInactive`` or
        ``TooManyPending``.
        """
        try:
            await self._require_active(webhook_id, actor)
        except WebhookNotFound:
            raise DeliveryNotFound from None
        delivery = await self._deliveries.get_for_update(
            delivery_id, if_match, WebhookDelivery.endpoint_id == webhook_id
        )
        if delivery.status != PENDING:
            await self._require_room(webhook_id)
        if not await enqueue_delivery(self.unit, DeliverWebhook(delivery_id, actor.user_id)):
            raise DeliveryPending
        if delivery.status != PENDING:
            delivery.status, delivery.attempts = PENDING, 0
        delivery.next_attempt_at = utc_now()
        await self._deliveries.update(delivery)
        return _to_read(delivery)

    async def _require_active(self, webhook_id: UUID, actor: Principal) -> None:
        webhook = await self._webhooks.get_own_for_update(webhook_id, actor.user_id)
        if not webhook.is_active:
            raise WebhookInactive

    async def _require_room(self, webhook_id: UUID) -> None:
        limit = self.settings.webhooks_max_pending
        if await self._webhooks.is_full(webhook_id, limit):
            raise TooManyPending(limit)


def _to_read(delivery: WebhookDelivery) -> DeliveryRead:
    return project(DeliveryRead, delivery, webhook_id=delivery.endpoint_id)
