from app.domain.auth.repositories import PURGE
from app.lib.clock import utc_now
from app.lib.jobs import Cron, JobContext, NoPayload, job


@job("sessions.purge", NoPayload, schedule=Cron("37 * * * *"))
async def purge_sessions(_payload: NoPayload, context: JobContext) -> None:
    async with context.unit() as unit:
        await unit.execute(PURGE, now=utc_now())


JOBS = (purge_sessions,)
