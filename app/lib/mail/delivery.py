"""Sends the mails of the table, each exactly once as far as that can be known.

A worker claims the row, sends, and writes down what came of it: three steps, of which only the first and the last are
transactions. A crash after the server's 250 and before our note is the one way to a second copy; it has the same
Message-ID, so that receivers can drop it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import msgspec
import structlog
from jinja2 import TemplateError

from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.faults import DATABASE_ERRORS
from app.lib.mail.mailer import one_line, variables_of
from app.lib.mail.message import Mailbox, OutgoingMail, UnsafeHeader
from app.lib.mail.repository import MailReads, MailRepository
from app.lib.mail.rows import MailRow, MailStatus
from app.lib.mail.schedule import retry_delay
from app.lib.mail.templates import MailTemplates
from app.lib.mail.transports import PermanentFailure, TemporaryFailure, Transport
from app.lib.security.sealing import CannotUnseal, Sealer

LEASE = timedelta(seconds=12)
"""How long a claim holds without a sign of life: a mail whose worker was killed goes on after that."""

_SIGN_OF_LIFE_SECONDS = 4.0
_AT_ONCE = 8

log = structlog.stdlib.get_logger(__name__)


class Subscriptions(Protocol):
    """What people want to get."""

    async def wants(self, user_id: UUID, topic: str) -> bool:
        """Whether a person still gets mails of the topic."""
        ...

    def unsubscribe_url(self, user_id: UUID, topic: str) -> str:
        """Where one click ends them."""
        ...


class Delivery(msgspec.Struct, frozen=True):
    """What came of an attempt. ``status`` is None where the mail was settled before or is gone.

    ``retry_in`` says when to come again; None is never.
    """

    status: MailStatus | None
    retry_in: timedelta | None = None


class Composer:
    """Makes the message of a row, as it is sent and as it is shown."""

    def __init__(self, templates: MailTemplates, sealer: Sealer, subscriptions: Subscriptions, sender: Mailbox) -> None:
        self._templates = templates
        self._sealer = sealer
        self._subscriptions = subscriptions
        self._sender = sender

    def compose(self, mail: MailRow) -> OutgoingMail:
        """Raises ``TemplateError``, ``CannotUnseal`` or ``UnsafeHeader``."""
        url = None
        if mail.topic is not None and mail.user_id is not None:
            url = self._subscriptions.unsubscribe_url(mail.user_id, mail.topic)
        variables = {**variables_of(mail, self._sealer), "unsubscribe_url": url}
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
        subscriptions: Subscriptions,
        transport: Transport,
        keep_secrets: bool = False,
    ) -> None:
        self._database = database
        self._reads = MailReads(database.reader)
        self._composer = composer
        self._subscriptions = subscriptions
        self._transport = transport
        self._keep_secrets = keep_secrets

    async def deliver(self, mail_id: UUID) -> Delivery:
        """One attempt. Any number of workers may try at once; one of them sends.

        Nothing but the database raises here. Whatever else goes wrong is in the row and in the log.
        """
        async with self._database.independent() as unit:
            mail = await MailRepository(unit.session).claim(mail_id, utc_now(), LEASE)
        if mail is None:
            return await self._not_claimed(mail_id)
        if mail.topic and mail.user_id and not await self._subscriptions.wants(mail.user_id, mail.topic):
            return await self._settle(mail, MailStatus.SUPPRESSED, "not wanted")
        try:
            message = self._composer.compose(mail)
            async with self._held(mail):
                await self._transport.send(message)
        except TemporaryFailure as failure:
            return await self._postpone(mail, failure.reason)
        except PermanentFailure as failure:
            return await self._settle(mail, MailStatus.FAILED, failure.reason)
        except (TemplateError, CannotUnseal, UnsafeHeader) as mistake:
            log.exception("mail.not_composed", mail_id=str(mail.id), kind=mail.kind)
            return await self._settle(mail, MailStatus.FAILED, f"{type(mistake).__name__}: {mistake}")
        return await self._sent(mail)

    async def deliver_due(self, count: int = 100) -> int:
        """Tries what waits, the longest waiting first; tells how many there were.

        For where there is no queue, and for what a queue has lost. Raises what the database raised, when the rest is
        done.
        """
        due = await self._reads.due(utc_now(), count)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def deliver(mail_id: UUID) -> None:
            async with slots:  # or mails would be claimed long before their turn
                await self.deliver(mail_id)

        outcomes = await asyncio.gather(*map(deliver, due), return_exceptions=True)
        if failure := next((each for each in outcomes if isinstance(each, BaseException)), None):
            raise failure
        return len(due)

    async def _not_claimed(self, mail_id: UUID) -> Delivery:
        claimed_until = await self._reads.claim_of(mail_id)
        if claimed_until is None:
            return Delivery(None)
        return Delivery(MailStatus.QUEUED, min(max(claimed_until - utc_now(), timedelta(seconds=1)), LEASE))

    @asynccontextmanager
    async def _held(self, mail: MailRow) -> AsyncGenerator[None]:
        """Keeps the claim alive while a slow server takes its time."""
        task = asyncio.create_task(self._hold(mail), name="mail-claim")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _hold(self, mail: MailRow) -> None:
        while True:
            await asyncio.sleep(_SIGN_OF_LIFE_SECONDS)
            try:
                async with self._database.independent() as unit:
                    await MailRepository(unit.session).extend(mail, utc_now() + LEASE)
            except DATABASE_ERRORS as exc:
                log.warning("mail.claim_not_extended", mail_id=str(mail.id), error=type(exc).__name__)

    async def _sent(self, mail: MailRow) -> Delivery:
        async with self._database.independent() as unit:
            await MailRepository(unit.session).sent(mail, utc_now(), keep_secrets=self._keep_secrets)
        log.info("mail.sent", mail_id=str(mail.id), kind=mail.kind, attempts=mail.attempts)
        return Delivery(MailStatus.SENT)

    async def _postpone(self, mail: MailRow, reason: str) -> Delivery:
        now = utc_now()
        delay = retry_delay(now - mail.queued_at)
        if delay is None:
            return await self._settle(mail, MailStatus.FAILED, f"given up: {reason}")
        async with self._database.independent() as unit:
            await MailRepository(unit.session).postponed(mail, now + delay, one_line(reason))
        # The reason stays in the row: servers repeat addresses in their answers.
        log.warning("mail.postponed", mail_id=str(mail.id), kind=mail.kind, attempts=mail.attempts)
        return Delivery(MailStatus.QUEUED, delay)

    async def _settle(self, mail: MailRow, status: MailStatus, reason: str) -> Delivery:
        async with self._database.independent() as unit:
            await MailRepository(unit.session).settled(mail, status, one_line(reason), keep_secrets=self._keep_secrets)
        tell = log.info if status is MailStatus.SUPPRESSED else log.warning
        tell("mail.given_up", mail_id=str(mail.id), kind=mail.kind, status=status.value, attempts=mail.attempts)
        return Delivery(status)
