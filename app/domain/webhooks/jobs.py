"""Deliveries as jobs, and the clean-up after them."""

from datetime import timedelta

from app.domain.webhooks.repositories import OVERDUE, PURGE
from app.domain.webhooks.services.deliver import delete_deliveries, deliver_webhook
from app.lib.clock import utc_now
from app.lib.jobs import Cron, JobContext, NoPayload, enqueue_many, job

RETENTION = timedelta(days=30)
"""How long deliveries are kept that have succeeded or failed."""

_OVERDUE_AFTER = timedelta(minutes=10)
_BATCH = 200


@job("webhooks.purge", NoPayload, schedule=Cron("57 * * * *"), timeout=600)
async def purge_deliveries(_payload: NoPayload, context: JobContext) -> int:
    before = utc_now() - RETENTION
    return await context.in_batches(lambda unit: unit.execute(PURGE, before=before))


@job("webhooks.sweep", NoPayload, schedule=Cron("*/5 * * * *"))
async def sweep_deliveries(_payload: NoPayload, context: JobContext) -> int:
    """Gives a job to each delivery that is overdue and has none, because its job was cancelled or has failed."""
    async with context.unit() as unit:
        overdue = await unit.all(OVERDUE, before=utc_now() - _OVERDUE_AFTER, count=_BATCH)
        await enqueue_many(unit, [(deliver_webhook, each) for each in overdue])
    return len(overdue)


JOBS = (deliver_webhook, delete_deliveries, sweep_deliveries, purge_deliveries)
