"""From events to deliveries: one listener for each kind of webhook. And what happens when accounts are deleted."""

from typing import Any
from uuid import UUID

from app.domain.accounts.events import PasswordChanged, UserDeleted
from app.domain.webhooks.repositories import LOCK_ALL_OF, DeliveryRepository, WebhookRepository
from app.domain.webhooks.rows import NewDelivery
from app.domain.webhooks.services.deliver import delete_first_deliveries, deliver_webhook
from app.lib import audit
from app.lib.db.uow import UnitOfWork
from app.lib.events import Event, EventEnvelope, Listener, after_commit, in_transaction
from app.lib.jobs import JobContext, enqueue_many
from app.lib.webhooks.kinds import WebhookKind, WordsErasing, message_body


@in_transaction(UserDeleted)
async def delete_deliveries_of(event: UserDeleted, unit: UnitOfWork) -> None:
    """The webhooks go by their foreign key."""
    for webhook_id in await unit.all(LOCK_ALL_OF, owner_id=event.aggregate_id):
        await delete_first_deliveries(unit, webhook_id)


@in_transaction(PasswordChanged)
async def disable_webhooks(event: PasswordChanged, unit: UnitOfWork) -> None:
    """As API keys are revoked: no events go on to a stranger who had the account. Its owner may switch them on."""
    if not event.is_recovery:
        return
    webhooks = WebhookRepository(unit)
    for webhook_id in await unit.all(LOCK_ALL_OF, owner_id=event.aggregate_id):
        webhook = await webhooks.get_for_update(webhook_id)
        if webhook.is_active:
            await webhooks.update(webhook, {"is_active": False, "disabled_reason": "password_reset"})
            await audit.record(unit, "webhook.disabled", audit.SYSTEM, subject_id=webhook_id, reason="password_reset")


@in_transaction(WordsErasing)
async def erase_words(event: WordsErasing, unit: UnitOfWork) -> None:
    """Also of messages that still wait: what happened is sent, and not what was said about it."""
    await DeliveryRepository(unit).erase_words(event.aggregate_ids, event.words)


LISTENERS = (delete_deliveries_of, disable_webhooks, erase_words)


def listener_for(kind: WebhookKind, max_pending: int) -> Listener:
    """A listener that makes the deliveries of a kind."""

    @after_commit(f"webhooks:{kind.name}", kind.event)
    async def deliver(envelope: EventEnvelope[Event], context: JobContext) -> None:
        async with context.unit() as unit:
            await fan_out(unit, kind, envelope, max_pending)

    return deliver


async def fan_out(unit: UnitOfWork, kind: WebhookKind, envelope: EventEnvelope[Any], max_pending: int) -> list[UUID]:
    """Makes a delivery for each webhook that is subscribed and whose owner may receive the event; returns the new ones.

    The same event again makes no second delivery. Where ``max_pending`` wait, the new one has failed from the start, so
    that an endpoint that does not answer cannot fill the database and the queue; its owner may retry it later.
    """
    payload = kind.payload_of(envelope.event)
    recipients = await WebhookRepository(unit).recipients(kind.name, kind.permission, payload.concerns, max_pending)
    body = message_body(kind.name, envelope.created_at, payload.data | payload.words)
    about = envelope.event
    new = NewDelivery(envelope.id, kind.name, body, about.aggregate_id, about.aggregate_version)
    deliveries = DeliveryRepository(unit)
    if kind.only_newest:
        replaced = await deliveries.replace_older([each.webhook_id for each in recipients], new)
        recipients = [each for each in recipients if each.webhook_id not in replaced]
    created = await deliveries.create_many(recipients, new)
    await enqueue_many(unit, [(deliver_webhook, each) for each in created])
    return [each.delivery_id for each in created]
