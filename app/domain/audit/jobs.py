from app.domain.audit.settings import AuditSettings
from app.lib.audit.retention import drop_old
from app.lib.jobs import Cron, JobContext, NoPayload, job


@job("audit.purge", NoPayload, schedule=Cron("42 * * * *"), timeout=600)
async def purge_audit(_payload: NoPayload, context: JobContext) -> None:
    for stream, days in context.service(AuditSettings).days.items():
        await drop_old(context, stream, days)


JOBS = (purge_audit,)
