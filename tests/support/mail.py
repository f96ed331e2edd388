"""Sends queued mails where no worker runs."""

from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.engine import Database
from app.lib.jobs import RetryLater
from app.lib.mail.delivery import Deliverer
from app.lib.mail.models import Mail
from app.lib.mail.rows import MailStatus


async def send_queued(deliverer: Deliverer, database: Database) -> int:
    """One attempt for each mail that waits. Returns their number."""
    async with AsyncSession(database.engine, expire_on_commit=False) as session:
        queued = select(Mail.id, Mail.retries).where(Mail.status == MailStatus.PENDING.value).order_by(Mail.id)
        rows = (await session.execute(queued)).all()
    for mail_id, retries in rows:
        with suppress(RetryLater):
            await deliverer.deliver(mail_id, retries)
    return len(rows)
