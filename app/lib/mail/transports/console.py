"""Writes mails where a developer sees them."""

import sys

import structlog

from app.lib.mail.message import OutgoingMail

log = structlog.stdlib.get_logger(__name__)


class ConsoleTransport:
    """Writes the text of a mail to standard error, because standard output is the log's.

    ``shows_text=False`` only says that there was a mail: in production its links belong into no console.
    """

    name = "console"

    def __init__(self, *, shows_text: bool) -> None:
        self._shows_text = shows_text

    async def send(self, mail: OutgoingMail) -> None:
        """Never fails: a console that is gone takes nothing with it."""
        if not self._shows_text:
            log.warning("mail.not_sent", reason="MAIL_BACKEND is console", message_id=mail.message_id)
            return
        rule = "-" * 72
        shown = f"{rule}\nTo: {mail.to.address}\nSubject: {mail.subject}\n\n{mail.text}\n{rule}\n"
        try:
            sys.stderr.write("".join(c if c.isprintable() or c == "\n" else "?" for c in shown))
            sys.stderr.flush()
        except (OSError, ValueError):
            return

    async def close(self) -> None:
        """Holds nothing."""
