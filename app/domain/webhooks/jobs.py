"""Deliveries as jobs, and the clean-up after them."""

from datetime import timedelta
from uuid import UUID

import msgspec

from app.domain.webhooks.repositories import DeliveryRepository
from app.domain.webhooks.services.delivering import Deliverer, TryAgain
from app.domain.webhooks.services.secrets import reseal_secrets
from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.jobs import Cron, JobContext, NoPayload, Retry, RetryLater, enqueue, job, run_now
from app.lib.security.sealing import Sealer

_OVERDUE = timedelta(minutes=10)

RETENTION = timedelta(days=30)
"""How long finished deliveries are kept."""

_AT_MOST = 12
"""Receivers may take 15 seconds each; everything else must not wait for them."""
_BATCH = 200


class DeliverWebhook(msgspec.Struct, frozen=True):
    delivery_id: UUID


# The delivery's row says when to try again and when to give up; the job only follows, so it must not give up before.
@job(
    "webhooks.deliver",
    DeliverWebhook,
    retry=Retry(attempts=10_000),
    timeout=40,
    at_most=_AT_MOST,
    key=lambda payload: str(payload.delivery_id),
)
async def deliver_webhook(payload: DeliverWebhook, context: JobContext) -> None:
    outcome = await context.service(Deliverer).deliver(payload.delivery_id)
    if isinstance(outcome, TryAgain):
        raise RetryLater(outcome.after.total_seconds(), "The delivery says why.")


@job("webhooks.purge", NoPayload, schedule=Cron("57 * * * *"))
async def purge_deliveries(_payload: NoPayload, context: JobContext) -> None:
    async with context.unit() as unit:
        await DeliveryRepository(session=unit.session).purge(utc_now() - RETENTION)


@job("webhooks.reseal", NoPayload, schedule=Cron("12 * * * *"), timeout=600)
async def reseal_webhooks(_payload: NoPayload, context: JobContext) -> None:
    """While ``SECRET_KEY_FALLBACKS`` is set: afterwards nothing needs the former keys any more."""
    sealer = context.service(Sealer)
    after: UUID | None = None
    while sealer.has_fallbacks:
        async with context.unit() as unit:
            after = await reseal_secrets(unit, sealer, after)
        if after is None:
            return


@job("webhooks.sweep", NoPayload, schedule=Cron("*/5 * * * *"))
async def sweep_deliveries(_payload: NoPayload, context: JobContext) -> None:
    """Gives a job to what is due and has none any more, because somebody cancelled or purged it."""
    async with context.unit() as unit:
        for delivery_id in await DeliveryRepository(session=unit.session).overdue(utc_now() - _OVERDUE, _BATCH):
            await enqueue_delivery(unit, delivery_id)


JOBS = (deliver_webhook, sweep_deliveries, purge_deliveries, reseal_webhooks)


async def enqueue_delivery(unit: UnitOfWork, delivery_id: UUID) -> bool:
    """An attempt, once the unit is committed: the one that waits for its time, or else a new one."""
    if await run_now(unit, deliver_webhook, str(delivery_id)):
        return True
    return await enqueue(unit, deliver_webhook, DeliverWebhook(delivery_id)) is not None
