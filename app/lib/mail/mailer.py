"""Puts mails into the table, in the transaction of what they tell about."""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

import msgspec

from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.errors import InvalidState, NotFound
from app.lib.mail.message import message_id
from app.lib.mail.repository import MailReads, MailRepository
from app.lib.mail.rows import MailRow, MailStatus
from app.lib.mail.sealing import seal, unseal
from app.lib.security.sealing import Sealer


class SendMail(msgspec.Struct, frozen=True):
    """The payload of the job that sends a mail."""

    mail_id: UUID


class EnqueueMail(Protocol):
    """Enqueues the job in the unit's transaction: committed with it, or not at all."""

    async def __call__(self, unit: UnitOfWork, payload: SendMail, /) -> None: ...


class NewMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that somebody shall get.

    ``kind`` and ``business_id`` say which one it is: the same two make no second mail. ``topic`` is for what a person
    can do without. ``context`` are the template's variables, and ``secrets`` those that nobody shall read in the
    database and that are forgotten once the mail is out: tokens in links.
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


class MailNotFound(NotFound):
    detail = "There is no such mail."


class MailStillQueued(InvalidState):
    detail = "This mail is still waiting to be sent."


class MailNotSent(InvalidState):
    detail = "Only what was sent can come back."


class MailSecretsGone(InvalidState):
    detail = "What was secret in this mail is gone; whoever needs it has to ask for a new one."


class Mailer:
    """``host`` is the right side of the Message-IDs; ``enqueue`` makes the job that sends."""

    def __init__(self, enqueue: EnqueueMail, sealer: Sealer, host: str) -> None:
        self._enqueue = enqueue
        self._sealer = sealer
        self._host = host

    async def queue(self, unit: UnitOfWork, mail: NewMail) -> bool:
        """Writes the mail into the unit's transaction, with the job that sends it; False when it is there already."""
        now, mail_id = utc_now(), new_id()
        row = {
            "id": mail_id,
            "kind": mail.kind,
            "business_id": mail.business_id,
            "user_id": mail.user_id,
            "topic": mail.topic,
            "to_address": mail.to_address,
            "locale": mail.locale,
            "template": mail.template,
            "context": dict(mail.context),
            "secrets": seal(self._sealer, mail.secrets, mail_id),
            "has_secrets": bool(mail.secrets),
            "message_id": message_id(mail.kind, mail.business_id, self._host),
            "status": MailStatus.QUEUED.value,
            "attempts": 0,
            "resends": 0,
            "created_at": now,
            "queued_at": now,
            "next_attempt_at": now,
        }
        if not await MailRepository(unit.session).add(row):
            return False
        await self._enqueue(unit, SendMail(mail_id))
        return True

    async def resend(self, unit: UnitOfWork, reads: MailReads, mail_id: UUID) -> None:
        """Sends a mail once more, whatever became of it; with a Message-ID of its own, or receivers would drop it.

        Raises ``MailNotFound``, ``MailStillQueued`` or ``MailSecretsGone``.
        """
        mail = await reads.mail(mail_id)
        if mail is None:
            raise MailNotFound
        if mail.status == MailStatus.QUEUED:
            raise MailStillQueued
        if mail.secrets is None and mail.has_secrets:
            raise MailSecretsGone
        again = message_id(mail.kind, f"{mail.business_id}\n{mail.resends + 1}", self._host)
        if not await MailRepository(unit.session).requeue(mail, utc_now(), again):
            raise MailStillQueued
        await self._enqueue(unit, SendMail(mail.id))

    async def record_bounce(self, unit: UnitOfWork, mail_id: UUID, reason: str) -> None:
        """A mail came back. Raises ``MailNotSent``."""
        if not await MailRepository(unit.session).bounced(mail_id, one_line(reason)):
            raise MailNotSent


def one_line(text: str) -> str:
    """What others say about a mail, fit to be kept and shown."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:500]


def variables_of(mail: MailRow, sealer: Sealer) -> dict[str, Any]:
    """The template's variables, the secret ones among them. Raises ``CannotUnseal``."""
    return {**mail.context, **unseal(sealer, mail.secrets, mail.id)}
