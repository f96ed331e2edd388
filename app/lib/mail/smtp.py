"""Sends mails by SMTP (RFC 5321), each over a connection of its own."""

import asyncio
import contextlib
import os
import socket
import ssl
from pathlib import Path
from typing import Literal, TypeVar

import aiosmtplib
import msgspec
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from app.lib.mail.message import OutgoingMail
from app.lib.mail.transports import PermanentFailure, TemporaryFailure
from app.lib.names import Names, Resolve
from app.lib.observability.masking import mask
from app.lib.observability.tracing import Attributes, span
from app.lib.settings import Secret

E = TypeVar("E", bound=BaseException)

SMTPSecurity = Literal["none", "starttls", "implicit"]
"""In the clear, TLS that is asked for with STARTTLS and insisted on, or TLS from the first byte."""

_PERMANENT = 500
_ABOUT_US = {530, 534, 535, 538}
"""Refusals of our credentials (RFC 4954 section 6), whichever command gets them."""
_FAULTS = (SMTPException, OSError, TimeoutError, ValueError)
_ENDED = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError)
_GOODBYE_SECONDS = 1.0


class SMTPOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server is and how long it may take.

    ``hello_name`` is what this client calls itself. ``ca_file`` names the authority (PEM) that vouches for the server,
    where that is not one of the system's. A server may be silent for ``connect_seconds`` at the beginning,
    ``command_seconds`` after a command and ``data_seconds`` after the message itself, because who gives up there does
    not know whether it was taken (RFC 5321 section 4.5.3.2.6 asks for ten minutes).
    """

    host: str
    port: int
    security: SMTPSecurity = "starttls"
    user: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None
    hello_name: str = "localhost"
    connections: int = 5
    connect_seconds: float = 10.0
    command_seconds: float = 15.0
    data_seconds: float = 120.0


def check_ca_file(path: str) -> None:
    """Raises ``ValueError`` for a file that holds no certificates."""
    try:
        ssl.create_default_context(cafile=path)
    except OSError as exc:  # those of TLS are such, too
        raise ValueError("expected the path of a file with certificates (PEM)") from exc


class SMTPTransport:
    """At most ``connections`` at once. Raises ``OSError`` for a CA file that is none.

    ``resolve`` is the system's unless given. The driver would look the name up in threads that it shares with others.
    """

    name = "smtp"

    def __init__(self, options: SMTPOptions, resolve: Resolve | None = None) -> None:
        self._options = options
        self._resolve = resolve or Names()
        self._slots = asyncio.Semaphore(options.connections)
        self._tls: ssl.SSLContext | None = None
        if options.security != "none":  # made once, because it reads the certificates of the system
            self._tls = ssl.create_default_context(cafile=options.ca_file)
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    async def send(self, mail: OutgoingMail) -> None:
        """Raises ``PermanentFailure`` for 5xx, ``TemporaryFailure`` for everything else that goes wrong.

        A connection that is lost during the exchange is such a failure, because it is unknown how far it came.
        """
        content = mail.encoded()
        server: Attributes = {"server.address": self._options.host, "server.port": self._options.port}
        async with self._slots:
            with span("client", "SMTP", server):
                await self._deliver(mail, content)

    async def _deliver(self, mail: OutgoingMail, content: bytes) -> None:
        client = self._client()
        try:
            await self._connect(client)
            await self._transfer(client, mail, content)
            with contextlib.suppress(*_FAULTS):
                await client.quit(timeout=_GOODBYE_SECONDS)
        except SMTPResponseException as exc:
            # One mail has one recipient, so an answer to any of the commands is about the whole mail.
            is_permanent = exc.code >= _PERMANENT and exc.code not in _ABOUT_US
            raise (PermanentFailure if is_permanent else TemporaryFailure)(_reason(exc)) from exc
        except _FAULTS as exc:
            raise TemporaryFailure(_reason(exc)) from exc
        finally:
            client.close()

    async def check(self) -> None:
        """Connects and signs in, and sends nothing. Raises ``TemporaryFailure``."""
        client = self._client()
        try:
            await self._connect(client)
            with contextlib.suppress(*_FAULTS):
                await client.quit(timeout=_GOODBYE_SECONDS)
        finally:
            client.close()

    def _client(self) -> SMTP:
        options = self._options
        return SMTP(
            hostname=options.host,
            username=options.user,
            password=options.password.reveal() if options.password else None,
            local_hostname=options.hello_name,
            timeout=options.command_seconds,
            use_tls=options.security == "implicit",
            start_tls=options.security == "starttls",
            tls_context=self._tls,
        )

    async def _connect(self, client: SMTP) -> None:
        """A refusal here is about us and not about the mail, so it may work when the settings are right."""
        try:
            async with asyncio.timeout(self._options.connect_seconds):
                connected = await self._open()
            await client.connect(sock=connected, timeout=self._options.connect_seconds)
            await client.ehlo()
        except _FAULTS as exc:
            raise TemporaryFailure(f"no connection to the mail server: {_reason(exc)}") from exc

    async def _open(self) -> socket.socket:
        """Connected to the first address that takes the connection. Raises ``OSError``."""
        loop = asyncio.get_running_loop()
        failure = OSError("the name of the mail server has no address")
        for address in await self._resolve(self._options.host, self._options.port):
            connected = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            connected.setblocking(False)
            try:
                await loop.sock_connect(connected, (address, self._options.port))
            except OSError as exc:
                connected.close()
                failure = exc
            except asyncio.CancelledError:
                connected.close()
                raise
            else:
                return connected
        raise failure

    async def _transfer(self, client: SMTP, mail: OutgoingMail, content: bytes) -> None:
        if mail.needs_smtputf8 and not client.supports_extension("smtputf8"):
            raise PermanentFailure("the mail server does not take addresses beyond ASCII (SMTPUTF8)")
        options = ["SMTPUTF8"] if mail.needs_smtputf8 else []
        await client.mail(mail.sender.wire(), options=options, encoding="utf-8")
        await client.rcpt(mail.to.wire(), encoding="utf-8")
        await client.data(content, timeout=self._options.data_seconds)


def _reason(exc: BaseException) -> str:
    """In words, with the setting to look at where it is about us."""
    if isinstance(exc, SMTPResponseException):  # whose server may repeat what it was sent
        advice = ": check SMTP_USER and SMTP_PASSWORD" if exc.code in _ABOUT_US else ""
        return mask(f"{exc.code} {exc.message}{advice}")
    if certificate := _cause(exc, ssl.SSLCertVerificationError):
        return f"its certificate is refused ({certificate.verify_message}): check SMTP_HOST and SMTP_CA_FILE"
    text, system = str(exc), _cause(exc, OSError)
    words = {
        "the mail server did not answer in time: check SMTP_HOST and SMTP_PORT": isinstance(exc, TimeoutError),
        "TLS fails: check SMTP_TLS, which is starttls for port 587 and implicit for port 465": _cause(
            exc, ssl.SSLError
        ),
        "it does not take STARTTLS: set SMTP_TLS to implicit (port 465), or none within your network": "STARTTLS ext"
        in text,
        "it takes no sign-in this way: check SMTP_TLS, or unset SMTP_USER and SMTP_PASSWORD": "AUTH ext" in text,
        f"{_of_system(system)}: check SMTP_HOST and SMTP_PORT": _of_system(system),
        "it ended the connection: check SMTP_PORT and SMTP_TLS": isinstance(exc, _ENDED),
    }
    return next(
        (each for each, is_it in words.items() if is_it),
        mask(f"{text.rstrip('.') or type(exc).__name__}: check SMTP_HOST, SMTP_PORT and SMTP_TLS"),
    )


def _of_system(exc: OSError | None) -> str:
    return os.strerror(exc.errno).lower() if exc and exc.errno and exc.errno > 0 else ""


def _cause(exc: BaseException | None, kind: type[E]) -> E | None:
    """The error of this kind under those that it was raised from."""
    while exc is not None and not isinstance(exc, kind):
        exc = exc.__cause__ or exc.__context__
    return exc
