"""The jobs that send mails and clean up after them."""

from datetime import timedelta
from uuid import UUID

import msgspec

from app.lib.clock import utc_now
from app.lib.jobs import Cron, JobContext, NoPayload, Retry, enqueue_many, job
from app.lib.mail.delivery import Deliverer
from app.lib.mail.repository import PENDING_MAILS, PURGE_MAILS

RETENTION = timedelta(days=90)
"""How long the rows of mails are kept."""

_AT_MOST = 5
"""A mail server may keep each of them waiting for minutes; other jobs must not wait with them."""

_PATIENCE = timedelta(minutes=5)
_BATCH = 500


class SendMail(msgspec.Struct, frozen=True):
    """``retries`` is the mail's at the time, so that a mail that is retried has another job. ``user_id`` is who it goes
    to, so that many mails to one user do not delay those to others.
    """

    mail_id: UUID
    retries: int = 0
    user_id: UUID | None = None


RETRY = Retry(attempts=200, delays=(10.0,) * 60, factor=1.2, max_delay=3600, jitter=0.2)
"""Every ten seconds for ten minutes, so that mail goes out right after a server is back; then a fifth later each time,
up to an hour. These are attempts for days: the mail's age ends them.
"""


@job(
    "mail.send",
    SendMail,
    key=lambda payload: f"{payload.mail_id}:{payload.retries}",
    retry=RETRY,
    timeout=180,
    at_most=_AT_MOST,
    owner=lambda payload: str(payload.user_id) if payload.user_id else None,
)
async def send_mail(payload: SendMail, context: JobContext) -> None:
    """Raises ``RetryLater`` while the mail cannot be sent."""
    await context.service(Deliverer).deliver(payload.mail_id, payload.retries)


@job("mail.sweep", NoPayload, schedule=Cron("*/5 * * * *"), timeout=240)
async def sweep_mails(_payload: NoPayload, context: JobContext) -> int:
    """Gives a job to each mail that waits and has none, because its job was cancelled or has failed. The key keeps
    those that have one from getting a second.
    """
    before, after, count = utc_now() - _PATIENCE, UUID(int=0), 0
    while True:
        async with context.unit() as unit:
            mails = await unit.all(PENDING_MAILS, before=before, after=after, count=_BATCH)
            await enqueue_many(unit, [(send_mail, SendMail(mail.id, mail.retries, mail.user_id)) for mail in mails])
        count += len(mails)
        if len(mails) < _BATCH:
            return count
        after = mails[-1].id


@job("mail.purge", NoPayload, schedule=Cron("47 * * * *"), timeout=600)
async def purge_mails(_payload: NoPayload, context: JobContext) -> int:
    """Deletes old mails that are not waiting."""
    before = utc_now() - RETENTION
    return await context.in_batches(lambda unit: unit.execute(PURGE_MAILS, before=before))


JOBS = (send_mail, sweep_mails, purge_mails)
