"""Regular deletion of what has expired."""

from app.domain.realtime.repositories import PURGE_TICKETS
from app.lib.jobs import Every, JobContext, NoPayload, job
from app.lib.realtime.service import Realtime

_TRIM_SECONDS = 60.0


@job("realtime.trim", NoPayload, schedule=Every(_TRIM_SECONDS), timeout=600)
async def trim_channels(_payload: NoPayload, context: JobContext) -> int:
    events = await context.in_batches(context.service(Realtime).trim)
    return events + await context.in_batches(lambda unit: unit.execute(PURGE_TICKETS))


JOBS = (trim_channels,)
