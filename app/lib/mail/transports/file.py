"""Writes mails into a folder."""

import asyncio
import os
import secrets
from pathlib import Path

from app.lib.mail.message import OutgoingMail
from app.lib.mail.transports import TemporaryFailure


class FileTransport:
    """One ``.eml`` file for each mail, which appears whole or not at all.

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

    async def close(self) -> None:
        """Holds nothing."""
