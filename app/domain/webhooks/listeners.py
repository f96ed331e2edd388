"""From events to deliveries: one listener for each kind of webhook."""

from typing import Any
from uuid import UUID

from app.domain.webhooks.repositories import DeliveryRepository, WebhookRepository
from app.domain.webhooks.services.deliver import deliver_webhook
from app.lib.db.uow import UnitOfWork
from app.lib.events import Event, EventEnvelope, Listener, after_commit
from app.lib.jobs import JobContext, enqueue_many
from app.lib.webhooks.kinds import WebhookKind, message_body


def listener_for(kind: WebhookKind) -> Listener:
    """A listener that makes the deliveries of a kind."""

    @after_commit(f"webhooks:{kind.name}", kind.event)
    async def deliver(envelope: EventEnvelope[Event], context: JobContext) -> None:
        async with context.unit() as unit:
            await fan_out(unit, kind, envelope)

    return deliver


async def fan_out(unit: UnitOfWork, kind: WebhookKind, envelope: EventEnvelope[Any]) -> list[UUID]:
    """Makes a delivery for each webhook that is subscribed and whose owner may receive the event; returns the new ones.

    The same event again makes no second delivery.
    """
    payload = kind.payload_of(envelope.event)
    recipients = await WebhookRepository(unit).recipients(kind.name, kind.permission, payload.concerns)
    body = message_body(kind.name, envelope.created_at, payload.data)
    created = await DeliveryRepository(unit).create_many(recipients, envelope.id, kind.name, body)
    await enqueue_many(unit, [(deliver_webhook, each) for each in created])
    return [each.delivery_id for each in created]
