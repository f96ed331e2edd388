from datetime import timedelta

from app.domain.auth.repositories import PURGE
from app.domain.auth.settings import AuthSettings
from app.lib import audit
from app.lib.clock import utc_now
from app.lib.jobs import Cron, JobContext, NoPayload, job


@job("sessions.purge", NoPayload, schedule=Cron("37 * * * *"), timeout=600)
async def purge_sessions(_payload: NoPayload, context: JobContext) -> None:
    now = utc_now()
    await context.in_batches(lambda unit: unit.execute(PURGE, now=now))


CAUSED_BY_STRANGERS = ("sign_in.failed", "sign_in.locked_out", "user.registered_again", "access.denied")
"""Kinds of events in the audit log that need no account, or a new one."""


@job("audit.purge", NoPayload, schedule=Cron("42 * * * *"), timeout=600)
async def purge_failed_sign_ins(_payload: NoPayload, context: JobContext) -> None:
    before = utc_now() - timedelta(days=context.service(AuthSettings).audit_failed_sign_in_days)
    await context.in_batches(lambda unit: audit.purge(unit, CAUSED_BY_STRANGERS, before))


JOBS = (purge_sessions, purge_failed_sign_ins)
