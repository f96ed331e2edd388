"""Every statement about mails."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, bindparam, case, select, update

from app.lib.db.base import table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.reader import Reader
from app.lib.db.repositories import Repository
from app.lib.db.statements import delete_batch, insert_or_update
from app.lib.mail.models import Mail
from app.lib.mail.rows import MailRow, MailStatus, MailSummary

_mails = table_of(Mail)
_c = _mails.c


def _value(name: str) -> Any:
    return bindparam(f"new_{name}", type_=_c[name].type)


_QUEUED, _SENT, _FAILED, _BOUNCED = (
    each.value for each in (MailStatus.QUEUED, MailStatus.SENT, MailStatus.FAILED, MailStatus.BOUNCED)
)
_this = _c.id == bindparam("mail_id")
_this_sending = (_this, _c.resends == bindparam("seen_resends"))

_by_id = prepare(select(*columns_of(MailRow, Mail)).where(_this), MailRow)
_newest = select(*columns_of(MailSummary, Mail)).order_by(_c.id.desc()).limit(bindparam("count"))
_all = prepare(_newest, MailSummary)
_of_status = prepare(_newest.where(_c.status == bindparam("status")), MailSummary)
_id_of_message = prepare(select(_c.id).where(_c.message_id == bindparam("message_id")).limit(1), UUID)
_queued = prepare(
    select(*columns_of(MailRow, Mail))
    .where(_c.status == _QUEUED, _c.queued_at < bindparam("before"), _c.id > bindparam("after"))
    .order_by(_c.id)
    .limit(bindparam("count")),
    MailRow,
)
_insert = prepare(insert_or_update(_mails).on_conflict_do_nothing())
_attempted = {"attempts": _c.attempts + 1, "last_error": _value("last_error")}
_over = {**_attempted, "secrets": case((bindparam("keeps_secrets", type_=Boolean()), _c.secrets), else_=None)}
_sent = prepare(
    update(_mails)
    .where(*_this_sending, _c.status.in_([_QUEUED, _FAILED]))
    .values(**_over, status=_SENT, sent_at=_value("sent_at"))
)
_ended = prepare(update(_mails).where(*_this_sending, _c.status == _QUEUED).values(**_over, status=_value("status")))
_failed = prepare(update(_mails).where(*_this_sending, _c.status == _QUEUED).values(**_attempted))
_requeue = prepare(
    update(_mails)
    .where(*_this_sending, _c.status == bindparam("seen_status"))
    .values(
        status=_QUEUED,
        resends=_c.resends + 1,
        message_id=_value("message_id"),
        last_error=None,
        queued_at=_value("queued_at"),
        sent_at=None,
    )
)
_bounced = prepare(
    update(_mails)
    .where(_this, _c.status.in_([_SENT, _BOUNCED]))
    .values(status=_BOUNCED, last_error=_value("last_error"))
)
_delete_of = prepare(delete_batch(_mails, _c.user_id == bindparam("user_id"), all_of_them=True))
_purge = prepare(delete_batch(_mails, _c.created_at < bindparam("before"), _c.status != _QUEUED))


class MailReads:
    """What is shown of mails."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mail(self, mail_id: UUID) -> MailRow | None:
        return await self._reader.first(_by_id, mail_id=mail_id)

    async def newest(self, count: int, status: MailStatus | None = None) -> list[MailSummary]:
        if status is None:
            return await self._reader.all(_all, count=count)
        return await self._reader.all(_of_status, count=count, status=status.value)

    async def id_of(self, message_id: str) -> UUID | None:
        """By the Message-ID, with its angle brackets."""
        return await self._reader.first(_id_of_message, message_id=message_id)


class MailRepository(Repository):
    """Mails in the unit's transaction.

    The outcome of an attempt is not written when the mail was resent since, or is deleted.
    """

    async def create(self, row: Mapping[str, Any]) -> bool:
        """False when this mail exists already."""
        return await self.unit.execute(_insert, **row) == 1

    async def get(self, mail_id: UUID) -> MailRow | None:
        return await self.unit.first(_by_id, mail_id=mail_id)

    async def list_queued(self, before: datetime, after: UUID, count: int) -> list[MailRow]:
        """Mails that were queued before that time and wait, in the order of their ids, after one of them."""
        return await self.unit.all(_queued, before=before, after=after, count=count)

    async def record_sent(self, mail: MailRow, now: datetime, *, keep_secrets: bool) -> None:
        """It is out, even if another attempt at the same time was refused."""
        values = {"mail_id": mail.id, "seen_resends": mail.resends, "new_last_error": None, "new_sent_at": now}
        await self.unit.execute(_sent, **values, keeps_secrets=keep_secrets)

    async def record_end(self, mail: MailRow, status: MailStatus, reason: str, *, keep_secrets: bool) -> None:
        """There will be no other attempt."""
        values = {"mail_id": mail.id, "seen_resends": mail.resends, "new_last_error": reason}
        await self.unit.execute(_ended, **values, new_status=status.value, keeps_secrets=keep_secrets)

    async def record_failure(self, mail: MailRow, reason: str) -> None:
        """There will be another attempt."""
        await self.unit.execute(_failed, mail_id=mail.id, seen_resends=mail.resends, new_last_error=reason)

    async def requeue(self, mail: MailRow, now: datetime, message_id: str) -> bool:
        """Starts again with another Message-ID. False when another call was faster."""
        count = await self.unit.execute(
            _requeue,
            mail_id=mail.id,
            seen_resends=mail.resends,
            seen_status=mail.status,
            new_message_id=message_id,
            new_queued_at=now,
        )
        return count == 1

    async def record_bounce(self, mail_id: UUID, reason: str) -> bool:
        """False for what was not sent."""
        return await self.unit.execute(_bounced, mail_id=mail_id, new_last_error=reason) == 1

    async def delete_of(self, user_id: UUID) -> int:
        """Deletes a batch of the mails to a user; one that is being sent at the moment may still arrive. Returns its
        size.
        """
        return await self.unit.execute(_delete_of, user_id=user_id)

    async def purge(self, before: datetime) -> int:
        """Deletes a batch of what was created before and is not waiting. Returns its size."""
        return await self.unit.execute(_purge, before=before)
