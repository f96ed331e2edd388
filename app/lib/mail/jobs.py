"""The jobs that send mails and clean up after them."""

from datetime import timedelta

from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.jobs import Cron, JobContext, NoPayload, Retry, RetryLater, enqueue, job
from app.lib.mail.delivery import Deliverer
from app.lib.mail.mailer import SendMail
from app.lib.mail.repository import MailRepository

RETENTION = timedelta(days=90)
"""How long the rows of mails are kept."""

_AT_MOST = 5
"""A mail server may keep each of them waiting for minutes; other jobs must not wait with them."""


# The mail's row says when to try again and when to give up; the job only follows, so it must not give up before.
@job("mail.send", SendMail, retry=Retry(attempts=10_000), timeout=180, at_most=_AT_MOST)
async def send_mail(payload: SendMail, context: JobContext) -> None:
    """Raises ``RetryLater`` while the mail is to be tried again."""
    delivery = await context.service(Deliverer).deliver(payload.mail_id)
    if delivery.retry_in is not None:
        raise RetryLater(delivery.retry_in.total_seconds(), "The mail's row says why.")


@job("mail.sweep", NoPayload, schedule=Cron("*/5 * * * *"), timeout=240)
async def sweep_mails(_payload: NoPayload, context: JobContext) -> None:
    """Tries what is due and has no job any more, because somebody cancelled or purged it."""
    await context.service(Deliverer).deliver_due()


@job("mail.purge", NoPayload, schedule=Cron("47 * * * *"))
async def purge_mails(_payload: NoPayload, context: JobContext) -> None:
    """Removes old rows."""
    async with context.unit() as unit:
        await MailRepository(unit.session).purge(utc_now() - RETENTION)


JOBS = (send_mail, sweep_mails, purge_mails)


async def enqueue_mail(unit: UnitOfWork, payload: SendMail) -> None:
    """The job for a mail, in the transaction that writes it."""
    await enqueue(unit, send_mail, payload)
