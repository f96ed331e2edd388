"""The mails of a development server, for developers to look at."""

import re
from dataclasses import dataclass
from uuid import UUID

import msgspec
from jinja2 import TemplateError

from app.lib.mail.delivery import Composer
from app.lib.mail.mailer import MailNotFound
from app.lib.mail.message import OutgoingMail, UnsafeHeader
from app.lib.mail.repository import MailReads
from app.lib.mail.rows import MailRow, MailSummary
from app.lib.security.sealing import CannotUnseal

_URL = re.compile(r"(https?://[^\s<>\"']+)")
_SHOWN = 100


class Listed(msgspec.Struct, frozen=True):
    """``subject`` is None where the mail cannot be composed."""

    mail: MailSummary
    subject: str | None


class Opened(msgspec.Struct, frozen=True):
    """``parts`` are the text in pieces: every second one is a link. ``html`` opens links in a new tab."""

    mail: MailRow
    message: OutgoingMail
    headers: list[tuple[str, str]]
    parts: list[str]
    html: str


@dataclass
class DevelopmentMailbox:
    """The mails to all users: for development only."""

    reads: MailReads
    composer: Composer

    async def newest(self) -> list[Listed]:
        listed: list[Listed] = []
        for mail in await self.reads.newest(_SHOWN):
            message = self._compose(await self.reads.mail(mail.id))
            listed.append(Listed(mail, None if message is None else message.subject))
        return listed

    async def open(self, mail_id: UUID) -> Opened:
        """Raises ``MailNotFound``, also for a mail that cannot be composed."""
        mail = await self.reads.mail(mail_id)
        message = self._compose(mail)
        if mail is None or message is None:
            raise MailNotFound
        return Opened(
            mail=mail,
            message=message,
            headers=[(name, str(value)) for name, value in message.message().items()],
            parts=_URL.split(message.text),
            html=message.html.replace("<head>", '<head><base target="_blank">', 1),
        )

    def _compose(self, row: MailRow | None) -> OutgoingMail | None:
        try:
            return None if row is None else self.composer.compose(row)
        except (TemplateError, CannotUnseal, UnsafeHeader):
            return None
