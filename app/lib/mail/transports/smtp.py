"""Sends mails by SMTP (RFC 5321), over a few connections that are used again."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import aiosmtplib
import msgspec
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from app.lib.mail.message import OutgoingMail
from app.lib.mail.transports import PermanentFailure, SMTPSecurity, TemporaryFailure
from app.lib.settings import Secret

_PERMANENT = 500
_ABOUT_US = {530, 534, 535, 538}
"""Refusals of our credentials (RFC 4954 section 6), whichever command gets them."""
_FAULTS = (SMTPException, OSError, TimeoutError, ValueError)
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
    idle_seconds: float = 30.0


class SMTPTransport:
    """At most ``connections`` at once. Each is asked whether it is still good before it is used again."""

    name = "smtp"

    def __init__(self, options: SMTPOptions) -> None:
        self._options = options
        self._tls = _tls_context(options)
        self._slots = asyncio.Semaphore(options.connections)
        self._idle: list[tuple[SMTP, float]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def send(self, mail: OutgoingMail) -> None:
        """Raises ``PermanentFailure`` for 5xx, ``TemporaryFailure`` for everything else that goes wrong.

        A connection that was lost while idle is replaced. One that is lost during the exchange is a failure, because
        it is unknown how far it came.
        """
        content = mail.encoded()
        async with self._slots:
            client = await self._client()
            try:
                await self._transfer(client, mail, content)
            except PermanentFailure:
                self._keep(client)
                raise
            except SMTPResponseException as exc:
                self._keep(client)
                # One mail has one recipient, so an answer to any of the commands is about the whole mail.
                is_permanent = exc.code >= _PERMANENT and exc.code not in _ABOUT_US
                raise (PermanentFailure if is_permanent else TemporaryFailure)(_reason(exc)) from exc
            except _FAULTS as exc:
                client.close()
                raise TemporaryFailure(_reason(exc)) from exc
            except BaseException:
                client.close()
                raise
            self._keep(client)

    async def close(self) -> None:
        """Says goodbye on every idle connection."""
        if self._timer is not None:
            self._timer.cancel()
        idle, self._idle = self._idle, []
        for client, _ in idle:
            with contextlib.suppress(*_FAULTS):
                await client.quit(timeout=_GOODBYE_SECONDS)
            client.close()

    async def _client(self) -> SMTP:
        while self._idle:
            client, _ = self._idle.pop()
            if client.is_connected:
                try:  # RSET also drops what an earlier mail that was refused has left behind
                    await client.rset(timeout=self._options.command_seconds)
                except _FAULTS:
                    client.close()
                else:
                    return client
        return await self._connect()

    async def _connect(self) -> SMTP:
        """A refusal here is about us and not about the mail, so it may work when the settings are right."""
        options = self._options
        client = SMTP(
            hostname=options.host,
            port=options.port,
            username=options.user,
            password=options.password.reveal() if options.password else None,
            local_hostname=options.hello_name,
            timeout=options.command_seconds,
            use_tls=options.security == "implicit",
            start_tls=options.security == "starttls",
            tls_context=self._tls,
        )
        try:
            await client.connect(timeout=options.connect_seconds)
            await client.ehlo()
        except _FAULTS as exc:
            client.close()
            raise TemporaryFailure(f"no connection to the mail server: {_reason(exc)}") from exc
        except BaseException:
            client.close()
            raise
        return client

    async def _transfer(self, client: SMTP, mail: OutgoingMail, content: bytes) -> None:
        if mail.needs_smtputf8 and not client.supports_extension("smtputf8"):
            raise PermanentFailure("the mail server does not take addresses beyond ASCII (SMTPUTF8)")
        options = ["SMTPUTF8"] if mail.needs_smtputf8 else []
        await client.mail(mail.sender.wire(), options=options, encoding="utf-8")
        await client.rcpt(mail.to.wire(), encoding="utf-8")
        await client.data(content, timeout=self._options.data_seconds)

    def _keep(self, client: SMTP) -> None:
        if not client.is_connected:
            client.close()
            return
        loop = asyncio.get_running_loop()
        self._idle.append((client, loop.time()))
        if self._timer is None:
            self._timer = loop.call_later(self._options.idle_seconds, self._expire)

    def _expire(self) -> None:
        """Closes what was not used for a while, so that the server need not."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._options.idle_seconds
        for client, since in self._idle:
            if since <= oldest:
                client.close()
        self._idle = [(client, since) for client, since in self._idle if since > oldest]
        self._timer = loop.call_later(self._options.idle_seconds, self._expire) if self._idle else None


def _tls_context(options: SMTPOptions) -> ssl.SSLContext | None:
    """Made once, because it reads the certificates of the system. Raises ``OSError`` for a CA file that is none."""
    if options.security == "none":
        return None
    context = ssl.create_default_context(cafile=options.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _reason(exc: Exception) -> str:
    if isinstance(exc, SMTPResponseException):
        return f"{exc.code} {exc.message}"
    if isinstance(exc, aiosmtplib.SMTPTimeoutError | TimeoutError):
        return "the mail server did not answer in time"
    return f"{type(exc).__name__}: {exc}"
