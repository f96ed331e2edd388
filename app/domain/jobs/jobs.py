"""Removes old rows, in small transactions, so that no other transaction waits."""

from functools import partial

from app.domain.jobs.repositories import PURGE_EVENTS
from app.domain.jobs.settings import JobSettings
from app.lib.db.idempotency import purge_idempotency_keys
from app.lib.db.uow import UnitOfWork
from app.lib.jobs import Cron, JobContext, JobStatus, NoPayload, job
from app.lib.jobs.operations import JobOperations

DAY = 86_400.0


@job("jobs.purge", NoPayload, schedule=Cron("7 * * * *"), timeout=600)
async def purge_jobs(_payload: NoPayload, context: JobContext) -> None:
    settings = context.service(JobSettings)
    for statuses, days in (
        ([JobStatus.SUCCEEDED, JobStatus.CANCELLED], settings.jobs_retention_days),
        ([JobStatus.FAILED], settings.jobs_failed_retention_days),
    ):
        await context.in_batches(partial(_purge_jobs, statuses, days))


async def _purge_jobs(statuses: list[JobStatus], days: int, unit: UnitOfWork) -> int:
    return await JobOperations(unit).purge(statuses, days * DAY)


@job("events.purge", NoPayload, schedule=Cron("17 * * * *"), timeout=600)
async def purge_events(_payload: NoPayload, context: JobContext) -> int:
    seconds = context.service(JobSettings).events_retention_days * DAY
    return await context.in_batches(lambda unit: unit.execute(PURGE_EVENTS, age=-seconds))


@job("idempotency_keys.purge", NoPayload, schedule=Cron("27 * * * *"), timeout=600)
async def purge_keys(_payload: NoPayload, context: JobContext) -> int:
    return await context.in_batches(purge_idempotency_keys)


JOBS = (purge_jobs, purge_events, purge_keys)
