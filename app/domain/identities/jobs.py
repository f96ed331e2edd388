from app.domain.identities.repositories import PURGE_ATTEMPTS
from app.lib.clock import utc_now
from app.lib.jobs import Cron, JobContext, NoPayload, job


@job("identities.purge", NoPayload, schedule=Cron("*/10 * * * *"), timeout=600)
async def purge_attempts(_payload: NoPayload, context: JobContext) -> int:
    now = utc_now()
    return await context.in_batches(lambda unit: unit.execute(PURGE_ATTEMPTS, now=now))


JOBS = (purge_attempts,)
