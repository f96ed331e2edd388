"""The ways a mail can leave; :mod:`.smtp` has the one to a mail server."""

import asyncio
import os
import secrets
import sys
from pathlib import Path
from typing import Protocol

from app.lib.mail.message import OutgoingMail


class NotSent(Exception):
    """``reason`` is for operators: a line without secrets, perhaps in the words of the other server."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = "".join(char if char.isprintable() else " " for char in reason)[:500]


class TemporaryFailure(NotSent):
    """It may work later: no connection, no answer in time, an answer of 4xx, or a fault on our side of the wire."""


class PermanentFailure(NotSent):
    """It will never work: an answer of 5xx to the sender, the recipient or the message."""


class NoBackend(NotSent):
    """No one is responsible for mails here."""


class Transport(Protocol):
    """Sends one mail at a time; calls may overlap."""

    name: str

    async def send(self, mail: OutgoingMail) -> None:
        """Returns once another server is responsible for it. Raises ``NotSent``."""
        ...


class ConsoleTransport:
    """Writes the text of a mail to standard error, because standard output is the log's. For development: in production
    the links of mails belong into no console.
    """

    name = "console"

    async def send(self, mail: OutgoingMail) -> None:
        """Never fails: a console that is gone takes nothing with it."""
        rule = "-" * 72
        shown = f"{rule}\nTo: {mail.to.address}\nSubject: {mail.subject}\n\n{mail.text}\n{rule}\n"
        try:
            sys.stderr.write("".join(c if c.isprintable() or c == "\n" else "?" for c in shown))
            sys.stderr.flush()
        except (OSError, ValueError):
            return


class NoTransport:
    """Sends nothing, and says so: production without a mail server."""

    name = "console"

    async def send(self, mail: OutgoingMail) -> None:
        """Raises ``NoBackend``."""
        raise NoBackend("MAIL_BACKEND is console, which sends nothing in production")


class FileTransport:
    """Writes one ``.eml`` file for each mail into a folder, which appears whole or not at all.

    It is named after the Message-ID, so a mail that is sent twice is there once. Readable by its owner only.
    """

    name = "file"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def send(self, mail: OutgoingMail) -> None:
        """Raises ``TemporaryFailure`` when the folder cannot be written to."""
        name = mail.message_id.strip("<>").partition("@")[0]
        try:
            await asyncio.to_thread(self._write, f"{name}.eml", mail.encoded())
        except OSError as exc:
            raise TemporaryFailure(f"{self._directory}: {exc.strerror}") from exc

    def _write(self, name: str, content: bytes) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        draft = self._directory / f".{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._directory / name)
        finally:
            draft.unlink(missing_ok=True)
