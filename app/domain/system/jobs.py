from app.lib.jobs import Cron, JobContext, NoPayload, job
from app.lib.security.resealing import reseal_all
from app.lib.security.sealing import Sealer


@job("keys.reseal", NoPayload, schedule=Cron("14 * * * *"), timeout=600)
async def reseal(_payload: NoPayload, context: JobContext) -> None:
    """While ``SECRET_KEY_FALLBACKS`` is set: afterwards nothing needs the former keys any more."""
    sealer = context.service(Sealer)
    if sealer.has_fallbacks:
        await reseal_all(context.database, sealer)


JOBS = (reseal,)
