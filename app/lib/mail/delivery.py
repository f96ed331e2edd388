"""Sends the mails of the table, each exactly once as far as that can be known.

A job reads the row, sends, and writes down how that ended. A crash after the server's 250 and before our note is the
one way to a second copy; it has the same Message-ID, so that receivers can drop it.
"""

from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog
from jinja2 import TemplateError

from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.prepared import Prepared
from app.lib.jobs import RetryLater
from app.lib.mail.message import Mailbox, OutgoingMail, UnsafeHeader
from app.lib.mail.repository import MAIL, RECORD_FAILURE, RECORD_SENT
from app.lib.mail.rows import MailRow, MailStatus
from app.lib.mail.templates import MailTemplates
from app.lib.mail.transports import NoBackend, PermanentFailure, TemporaryFailure, Transport
from app.lib.security.sealing import CannotUnseal, Sealer

LIFETIME = timedelta(days=1)
"""How long a mail is tried before it is given up."""

log = structlog.stdlib.get_logger(__name__)


class Subscriptions(Protocol):
    """Which topics users are subscribed to."""

    async def wants(self, user_id: UUID, topic: str) -> bool: ...

    def unsubscribe_url(self, user_id: UUID, topic: str) -> str: ...


class Composer:
    """Makes the message of a row, as it is sent and as it is shown."""

    def __init__(
        self,
        templates: MailTemplates,
        sealer: Sealer,
        subscriptions: Subscriptions | None,
        sender: Mailbox,
    ) -> None:
        self._templates = templates
        self._sealer = sealer
        self._subscriptions = subscriptions
        self._sender = sender

    def compose(self, mail: MailRow) -> OutgoingMail:
        """Raises ``TemplateError``, ``CannotUnseal`` or ``UnsafeHeader``."""
        url = None
        if self._subscriptions is not None and mail.topic is not None and mail.user_id is not None:
            url = self._subscriptions.unsubscribe_url(mail.user_id, mail.topic)
        secrets: dict[str, Any] = {}
        if mail.secrets is not None:
            secrets = msgspec.json.decode(self._sealer.open(mail.secrets, mail.id.bytes))
        variables = {**mail.context, **secrets, "unsubscribe_url": url}
        words = self._templates.render(mail.template, mail.locale, variables)
        return OutgoingMail(
            sender=self._sender,
            to=Mailbox(mail.to_address),
            subject=words.subject,
            text=words.text,
            html=words.html,
            locale=self._templates.best_locale(mail.locale),
            message_id=mail.message_id,
            date=mail.queued_at,
            unsubscribe_url=url,
        )


class Deliverer:
    """One per process. ``keep_secrets`` is for development, where the mailbox page shows what was sent."""

    def __init__(
        self,
        *,
        database: Database,
        composer: Composer,
        subscriptions: Subscriptions | None,
        transport: Transport,
        keep_secrets: bool = False,
    ) -> None:
        self._database = database
        self._composer = composer
        self._subscriptions = subscriptions
        self._transport = transport
        self._keep_secrets = keep_secrets

    async def deliver(self, mail_id: UUID, retries: int = 0) -> None:
        """One attempt, unless the mail is no longer queued or was retried since. Raises ``RetryLater``."""
        async with self._database.independent() as unit:
            mail = await unit.first(MAIL, mail_id=mail_id)
        if mail is None or mail.status != MailStatus.PENDING or mail.retries != retries:
            return
        choices = self._subscriptions
        if choices and mail.topic and mail.user_id and not await choices.wants(mail.user_id, mail.topic):
            await self._end(mail, MailStatus.CANCELLED, "not wanted")
            return
        try:
            await self._transport.send(self._composer.compose(mail))
        except TemporaryFailure as failure:
            await self._retry(mail, failure.reason)
        except PermanentFailure as failure:
            await self._end(mail, MailStatus.FAILED, failure.reason)
        except NoBackend as failure:
            await self._end(mail, MailStatus.SKIPPED, failure.reason)
        except (TemplateError, CannotUnseal, UnsafeHeader) as mistake:
            log.exception("mail.not_composed", mail_id=str(mail.id), kind=mail.kind)
            await self._end(mail, MailStatus.FAILED, f"{type(mistake).__name__}: {mistake}")
        else:
            await self._record(mail, RECORD_SENT, None, keeps_secrets=self._keep_secrets, new_sent_at=utc_now())
            log.info("mail.sent", mail_id=str(mail.id), kind=mail.kind)

    async def _retry(self, mail: MailRow, reason: str) -> None:
        if utc_now() - mail.queued_at >= LIFETIME:
            await self._end(mail, MailStatus.FAILED, f"given up: {reason}")
            return
        status = MailStatus.PENDING.value
        await self._record(mail, RECORD_FAILURE, one_line(reason), keeps_secrets=True, new_status=status)
        log.warning("mail.postponed", mail_id=str(mail.id), kind=mail.kind)
        # The reason stays in the row, out of the logs: servers repeat addresses in their answers.
        raise RetryLater(reason="The mail's row has the reason.") from None

    async def _end(self, mail: MailRow, status: MailStatus, reason: str) -> None:
        keeps = self._keep_secrets
        await self._record(mail, RECORD_FAILURE, one_line(reason), keeps_secrets=keeps, new_status=status.value)
        write = log.info if status is MailStatus.CANCELLED else log.warning
        write("mail.given_up", mail_id=str(mail.id), kind=mail.kind, status=status.value)

    async def _record(self, mail: MailRow, outcome: Prepared[None], error: str | None, **values: object) -> None:
        async with self._database.independent() as unit:
            await unit.execute(outcome, mail_id=mail.id, seen_retries=mail.retries, new_last_error=error, **values)


def one_line(text: str) -> str:
    """The words of another server, fit to be stored and shown."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:500]
