"""Regular deletion of what has expired."""

from app.domain.realtime.repositories.tickets import TicketRepository
from app.lib.jobs import Cron, Every, JobContext, NoPayload, job
from app.lib.realtime.service import Realtime

_TRIM_SECONDS = 60.0
_BATCH = 1_000


@job("realtime.trim", NoPayload, schedule=Every(_TRIM_SECONDS), timeout=600)
async def trim_channels(_payload: NoPayload, context: JobContext) -> None:
    trimmed = _BATCH
    while trimmed == _BATCH:
        async with context.unit() as unit:
            trimmed = await context.service(Realtime).trim(unit, _BATCH)


@job("realtime.purge_tickets", NoPayload, schedule=Cron("*/10 * * * *"), timeout=600)
async def purge_tickets(_payload: NoPayload, context: JobContext) -> None:
    await context.in_batches(lambda unit: TicketRepository(unit).purge())


JOBS = (trim_channels, purge_tickets)
