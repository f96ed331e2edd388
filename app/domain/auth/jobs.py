from app.domain.auth.repositories import PURGE
from app.lib.clock import utc_now
from app.lib.jobs import Cron, JobContext, NoPayload, job


@job("sessions.purge", NoPayload, schedule=Cron("37 * * * *"), timeout=600)
async def purge_sessions(_payload: NoPayload, context: JobContext) -> None:
    now = utc_now()
    await context.in_batches(lambda unit: unit.execute(PURGE, now=now))


JOBS = (purge_sessions,)
