"""Every statement about mails."""

from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, bindparam, case, select, update

from app.lib.db.base import table_of
from app.lib.db.gauges import DatabaseGauge, count_by_status
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.reader import Reader
from app.lib.db.statements import delete_batch, insert_or_update
from app.lib.mail.models import Mail
from app.lib.mail.rows import MailRow, MailStatus, MailSummary

_mails = table_of(Mail)
_c = _mails.c


def _value(name: str) -> Any:
    return bindparam(f"new_{name}", type_=_c[name].type)


_PENDING, _SUCCEEDED, _FAILED, _BOUNCED = (
    each.value for each in (MailStatus.PENDING, MailStatus.SUCCEEDED, MailStatus.FAILED, MailStatus.BOUNCED)
)
_this = _c.id == bindparam("mail_id")
_this_sending = (_this, _c.retries == bindparam("seen_retries"))

MAIL = prepare(select(*columns_of(MailRow, Mail)).where(_this), MailRow)
_newest = select(*columns_of(MailSummary, Mail)).order_by(_c.id.desc()).limit(bindparam("count"))
_all = prepare(_newest, MailSummary)
_of_status = prepare(_newest.where(_c.status == bindparam("status")), MailSummary)
_id_of_message = prepare(select(_c.id).where(_c.message_id == bindparam("message_id")).limit(1), UUID)
MAIL_GAUGE = DatabaseGauge(
    "mails",
    "Mails that wait, or that could not be delivered; those that were sent are attempts of the job mail.send.",
    "status",
    count_by_status(Mail.status, dict.fromkeys(("pending", "failed", "bounced", "skipped"), Mail.id)),
)
PENDING_MAILS = prepare(
    select(*columns_of(MailRow, Mail))
    .where(_c.status == _PENDING, _c.queued_at < bindparam("before"), _c.id > bindparam("after"))
    .order_by(_c.id)
    .limit(bindparam("count")),
    MailRow,
)
CREATE_MAIL = prepare(insert_or_update(_mails).on_conflict_do_nothing())
# The outcome of an attempt is not written when the mail was retried since, or is deleted.
_attempted = {
    "attempts": _c.attempts + 1,
    "last_error": _value("last_error"),
    "secrets": case((bindparam("keeps_secrets", type_=Boolean()), _c.secrets), else_=None),
}
# It is out, even if another attempt at the same time was refused.
RECORD_SENT = prepare(
    update(_mails)
    .where(*_this_sending, _c.status.in_([_PENDING, _FAILED]))
    .values(**_attempted, status=_SUCCEEDED, sent_at=_value("sent_at"))
)
RECORD_FAILURE = prepare(
    update(_mails).where(*_this_sending, _c.status == _PENDING).values(**_attempted, status=_value("status"))
)
RETRY_MAIL = prepare(
    update(_mails)
    .where(*_this_sending, _c.status == bindparam("seen_status"))
    .values(
        status=_PENDING,
        retries=_c.retries + 1,
        message_id=_value("message_id"),
        last_error=None,
        queued_at=_value("queued_at"),
        sent_at=None,
    )
)
RECORD_BOUNCE = prepare(
    update(_mails)
    .where(_this, _c.status.in_([_SUCCEEDED, _BOUNCED]))
    .values(status=_BOUNCED, last_error=_value("last_error"))
)
# One that is being sent at the moment may still arrive.
DELETE_MAILS_OF = prepare(delete_batch(_mails, _c.user_id == bindparam("user_id"), all_of_them=True))
PURGE_MAILS = prepare(delete_batch(_mails, _c.created_at < bindparam("before"), _c.status != _PENDING))


class MailReads:
    """What is shown of mails."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mail(self, mail_id: UUID) -> MailRow | None:
        return await self._reader.first(MAIL, mail_id=mail_id)

    async def newest(self, count: int, status: MailStatus | None = None) -> list[MailSummary]:
        if status is None:
            return await self._reader.all(_all, count=count)
        return await self._reader.all(_of_status, count=count, status=status.value)

    async def id_of(self, message_id: str) -> UUID | None:
        """By the Message-ID, with its angle brackets."""
        return await self._reader.first(_id_of_message, message_id=message_id)
