"""Removes old rows, in small transactions, so that no other transaction waits."""

from collections.abc import Awaitable, Callable

from app.domain.jobs.repositories import JobRepository
from app.domain.jobs.services import DAY, Retention
from app.lib.db.idempotency import purge_idempotency_keys
from app.lib.db.uow import UnitOfWork
from app.lib.jobs import Cron, JobContext, JobStatus, NoPayload, job
from app.lib.jobs.operations import JobOperations


@job("jobs.purge", NoPayload, schedule=Cron("7 * * * *"), timeout=600)
async def purge_jobs(_payload: NoPayload, context: JobContext) -> None:
    retention = context.service(Retention)
    limits = {
        (JobStatus.DONE, JobStatus.CANCELLED): retention.finished_days * DAY,
        (JobStatus.DEAD,): retention.dead_days * DAY,
    }
    for statuses, seconds in limits.items():

        async def purge(unit: UnitOfWork, statuses: tuple[JobStatus, ...] = statuses, seconds: float = seconds) -> int:
            return await JobOperations(unit).purge(statuses, seconds)

        await _until_none_is_left(context, purge)


@job("events.purge", NoPayload, schedule=Cron("17 * * * *"), timeout=600)
async def purge_events(_payload: NoPayload, context: JobContext) -> None:
    seconds = context.service(Retention).event_days * DAY

    async def purge(unit: UnitOfWork) -> int:
        return await JobRepository(unit.session).purge_events(seconds)

    await _until_none_is_left(context, purge)


@job("idempotency_keys.purge", NoPayload, schedule=Cron("27 * * * *"))
async def purge_keys(_payload: NoPayload, context: JobContext) -> None:
    async with context.unit() as unit:
        await purge_idempotency_keys(unit)


JOBS = (purge_jobs, purge_events, purge_keys)


async def _until_none_is_left(context: JobContext, purge: Callable[[UnitOfWork], Awaitable[int]]) -> None:
    while True:
        async with context.unit() as unit:
            count = await purge(unit)
        if not count:
            return
