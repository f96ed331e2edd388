"""Every statement about mails."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.prepared import columns_of, one_row, prepare
from app.lib.db.reader import Reader
from app.lib.db.statements import affected, insert_or_ignore
from app.lib.mail.models import Mail
from app.lib.mail.rows import MailRow, MailStatus, MailSummary

_rows = select(*columns_of(MailRow, Mail))
_by_id = prepare(_rows.where(Mail.id == bindparam("mail_id")), MailRow)
_claim_of = prepare(
    select(Mail.claimed_until).where(Mail.id == bindparam("mail_id"), Mail.status == MailStatus.QUEUED.value), datetime
)
_due = prepare(
    select(Mail.id)
    .where(Mail.status == MailStatus.QUEUED.value, Mail.next_attempt_at <= bindparam("now"))
    .order_by(Mail.next_attempt_at)
    .limit(bindparam("count")),
    UUID,
)
_newest = select(*columns_of(MailSummary, Mail)).order_by(Mail.id.desc()).limit(bindparam("count"))
_all = prepare(_newest, MailSummary)
_of_status = prepare(_newest.where(Mail.status == bindparam("status")), MailSummary)
_summary = prepare(select(*columns_of(MailSummary, Mail)).where(Mail.id == bindparam("mail_id")), MailSummary)
_id_of_message = prepare(select(Mail.id).where(Mail.message_id == bindparam("message_id")).limit(1), UUID)


class MailReads:
    """What is shown of mails."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mail(self, mail_id: UUID) -> MailRow | None:
        """All of it."""
        return await self._reader.first(_by_id, mail_id=mail_id)

    async def summary(self, mail_id: UUID) -> MailSummary | None:
        """As a list shows it."""
        return await self._reader.first(_summary, mail_id=mail_id)

    async def newest(self, count: int, status: MailStatus | None = None) -> list[MailSummary]:
        """The newest first."""
        if status is None:
            return await self._reader.all(_all, count=count)
        return await self._reader.all(_of_status, count=count, status=status.value)

    async def id_of(self, message_id: str) -> UUID | None:
        """By the Message-ID, with its angle brackets."""
        return await self._reader.first(_id_of_message, message_id=message_id)

    async def due(self, now: datetime, count: int) -> list[UUID]:
        """Those that wait for an attempt, the longest first."""
        return await self._reader.all(_due, now=now, count=count)

    async def claim_of(self, mail_id: UUID) -> datetime | None:
        """Until when somebody holds a queued mail; None when nobody does or it is none."""
        return await self._reader.first(_claim_of, mail_id=mail_id)


class MailRepository:
    """Writes in the session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, row: Mapping[str, Any]) -> bool:
        """False when this mail is there already."""
        return await insert_or_ignore(self._session, Mail, row)

    async def claim(self, mail_id: UUID, now: datetime, lease: timedelta) -> MailRow | None:
        """Takes a queued mail that nobody holds, and counts the attempt.

        A claim that ends much later than a lease from now was made before the clock was set back, and is void. Not
        one that ends a little later: who made it may have looked at the clock after us, or at another clock.
        """
        free = or_(Mail.claimed_until.is_(None), Mail.claimed_until <= now, Mail.claimed_until > now + 2 * lease)
        claimed = await self._session.execute(
            update(Mail)
            .where(Mail.id == mail_id, _is_queued(), free)
            .values(attempts=Mail.attempts + 1, claimed_until=now + lease)
            .returning(*columns_of(MailRow, Mail))
            .execution_options(synchronize_session=False)
        )
        return one_row(claimed, MailRow)

    async def extend(self, mail: MailRow, until: datetime) -> bool:
        """Holds it longer; False when somebody else has it now."""
        return await self._change(mail.id, *_still_ours(mail), claimed_until=until)

    async def sent(self, mail: MailRow, now: datetime, *, keep_secrets: bool) -> bool:
        """Whoever claimed it meanwhile: it is out. False when it is gone, or settled."""
        values = {"status": MailStatus.SENT.value, "sent_at": now, "last_error": None, "claimed_until": None}
        return await self._change(mail.id, _is_queued(), **values, **_forget(keep=keep_secrets))

    async def settled(self, mail: MailRow, status: MailStatus, reason: str | None, *, keep_secrets: bool) -> bool:
        """There will be no other attempt."""
        values = {"status": status.value, "last_error": reason, "claimed_until": None}
        return await self._change(mail.id, *_still_ours(mail), **values, **_forget(keep=keep_secrets))

    async def postponed(self, mail: MailRow, until: datetime, reason: str) -> bool:
        """There will be another attempt."""
        values = {"next_attempt_at": until, "last_error": reason, "claimed_until": None}
        return await self._change(mail.id, *_still_ours(mail), **values)

    async def requeue(self, mail: MailRow, now: datetime, message_id: str) -> bool:
        """Starts afresh with another Message-ID. False when somebody else was faster."""
        return await self._change(
            mail.id,
            Mail.resends == mail.resends,
            Mail.status == mail.status,
            status=MailStatus.QUEUED.value,
            resends=Mail.resends + 1,
            message_id=message_id,
            last_error=None,
            queued_at=now,
            next_attempt_at=now,
            claimed_until=None,
            sent_at=None,
        )

    async def bounced(self, mail_id: UUID, reason: str) -> bool:
        """False for what was not sent."""
        is_out = Mail.status.in_((MailStatus.SENT.value, MailStatus.BOUNCED.value))
        return await self._change(mail_id, is_out, status=MailStatus.BOUNCED.value, last_error=reason)

    async def delete_of(self, user_id: UUID) -> None:
        """All mails to a person; one that is being sent at the moment may still arrive."""
        await self._session.execute(delete(Mail).where(Mail.user_id == user_id))

    async def purge(self, before: datetime) -> None:
        """Removes what was made before and is not waiting."""
        await self._session.execute(
            delete(Mail).where(Mail.created_at < before, Mail.status != MailStatus.QUEUED.value)
        )

    async def _change(self, mail_id: UUID, *conditions: ColumnElement[bool], **values: Any) -> bool:
        changed = await self._session.execute(
            update(Mail)
            .where(Mail.id == mail_id, *conditions)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        return affected(changed) == 1


def _is_queued() -> ColumnElement[bool]:
    return Mail.status == MailStatus.QUEUED.value


def _still_ours(mail: MailRow) -> list[ColumnElement[bool]]:
    return [_is_queued(), Mail.attempts == mail.attempts, Mail.resends == mail.resends]


def _forget(*, keep: bool) -> dict[str, None]:
    return {} if keep else {"secrets": None}
