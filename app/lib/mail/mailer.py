"""Puts mails into the table, in the transaction of their cause."""

from collections.abc import Mapping
from typing import Any, Protocol, Self
from uuid import UUID

import msgspec

from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.errors import InvalidState, NotFound
from app.lib.jobs import enqueue
from app.lib.mail.delivery import one_line
from app.lib.mail.jobs import SendMail, send_mail
from app.lib.mail.message import message_id
from app.lib.mail.repository import CREATE_MAIL, MAIL, RECORD_BOUNCE, RETRY_MAIL
from app.lib.mail.rows import MailStatus
from app.lib.security.sealing import Sealer


class Addressee(Protocol):
    """A user, as far as mail has to know them."""

    @property
    def id(self) -> UUID: ...
    @property
    def email(self) -> str: ...
    @property
    def locale(self) -> str: ...


class NewMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail to one person.

    ``kind`` and ``business_id`` identify it: the same two make no second mail. ``topic`` is what a user can unsubscribe
    from. ``context`` are the template's variables, and ``secrets`` those that must not be readable in the database and
    are deleted once the mail is sent: tokens in links.
    """

    kind: str
    business_id: str
    to_address: str
    locale: str
    template: str
    context: Mapping[str, Any] = {}
    secrets: Mapping[str, Any] = {}
    user_id: UUID | None = None
    topic: str | None = None

    @classmethod
    def to(cls, user: Addressee, kind: str, business_id: str, *, address: str = "", **others: Any) -> Self:
        """A mail to a user, or to ``address``, of the template that is named like its kind."""
        return cls(
            kind=kind,
            business_id=business_id,
            user_id=user.id,
            to_address=address or user.email,
            locale=user.locale,
            template=kind,
            **others,
        )


class MailNotFound(NotFound):
    detail = "There is no such mail."


class MailStillPending(InvalidState):
    detail = "This mail is still waiting to be sent."


class MailNotSent(InvalidState):
    detail = "Only a mail that was sent can bounce."


class MailSecretsGone(InvalidState):
    detail = "The secret link of this mail is deleted; its recipient has to ask for a new one."


class Mailer:
    """``host`` is the right side of the Message-IDs."""

    def __init__(self, sealer: Sealer, host: str) -> None:
        self._sealer = sealer
        self._host = host

    async def queue(self, unit: UnitOfWork, mail: NewMail) -> bool:
        """Sends a mail after the unit's commit. False when it was queued before."""
        mail_id, now = new_id(), utc_now()
        # Sealed for this mail, so that the database alone shows no link with a token.
        secrets = self._sealer.seal(msgspec.json.encode(mail.secrets), mail_id.bytes) if mail.secrets else None
        row = {
            **msgspec.structs.asdict(mail),
            "id": mail_id,
            "context": dict(mail.context),
            "secrets": secrets,
            "has_secrets": bool(mail.secrets),
            "message_id": message_id(mail.kind, mail.business_id, self._host),
            "status": MailStatus.PENDING.value,
            "attempts": 0,
            "retries": 0,
            "last_error": None,
            "created_at": now,
            "queued_at": now,
            "sent_at": None,
        }
        if not await unit.execute(CREATE_MAIL, **row):
            return False
        await enqueue(unit, send_mail, SendMail(mail_id, user_id=mail.user_id))
        return True

    async def retry(self, unit: UnitOfWork, mail_id: UUID) -> None:
        """Sends a mail again that is no longer queued; with a Message-ID of its own, or receivers would drop it.

        Raises ``MailNotFound``, ``MailStillPending`` or ``MailSecretsGone``.
        """
        mail = await unit.one(MAIL, MailNotFound, mail_id=mail_id)
        if mail.status == MailStatus.PENDING:
            raise MailStillPending
        if mail.secrets is None and mail.has_secrets:
            raise MailSecretsGone
        retries = mail.retries + 1
        requeued = await unit.execute(
            RETRY_MAIL,
            mail_id=mail.id,
            seen_retries=mail.retries,
            seen_status=mail.status,
            new_message_id=message_id(mail.kind, f"{mail.business_id}\n{retries}", self._host),
            new_queued_at=utc_now(),
        )
        if not requeued:  # another call was faster
            raise MailStillPending
        await enqueue(unit, send_mail, SendMail(mail.id, retries, mail.user_id))

    async def record_bounce(self, unit: UnitOfWork, mail_id: UUID, reason: str) -> None:
        """Records that a mail came back. Raises ``MailNotSent``."""
        if not await unit.execute(RECORD_BOUNCE, mail_id=mail_id, new_last_error=one_line(reason)):
            raise MailNotSent
