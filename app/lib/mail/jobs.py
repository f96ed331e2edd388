"""What a queue runs to send a mail."""

from datetime import timedelta

from app.lib.db.uow import UnitOfWork
from app.lib.mail.delivery import Deliverer
from app.lib.mail.mailer import SendMail


class RetryLater(Exception):
    """The job is to run again after ``delay``; the mail's row says the same."""

    def __init__(self, delay: timedelta) -> None:
        super().__init__(f"in {delay.total_seconds():.0f} s")
        self.delay = delay


class SendMailJob:
    """Calling it makes one attempt; for a queue that has retries of its own."""

    def __init__(self, deliverer: Deliverer) -> None:
        self._deliverer = deliverer

    async def __call__(self, payload: SendMail, _context: object) -> None:
        """Raises :class:`RetryLater` while the mail is to be tried again."""
        delivery = await self._deliverer.deliver(payload.mail_id)
        if delivery.retry_in is not None:
            raise RetryLater(delivery.retry_in)


async def enqueue_nothing(_unit: UnitOfWork, _payload: SendMail) -> None:
    """For where there is no queue: the row alone says that there is something to send (``Deliverer.deliver_due``)."""
