"""Which transport a process uses."""

from pathlib import Path

from app.lib.mail.transports import Transport
from app.lib.mail.transports.console import ConsoleTransport
from app.lib.mail.transports.file import FileTransport
from app.lib.mail.transports.smtp import SMTPOptions, SMTPTransport


def choose_transport(smtp: SMTPOptions | None, folder: Path | None, *, shows_text: bool) -> Transport:
    """A mail server, else files in a folder, else the console, which ``shows_text`` or only that there was a mail."""
    if smtp is not None:
        return SMTPTransport(smtp)
    return FileTransport(folder) if folder is not None else ConsoleTransport(shows_text=shows_text)
