"""A real SMTP server in the test's own event loop, which can be made to misbehave."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Script = Callable[[str], str | None]
"""Given a command (``EHLO``, ``RSET``, ``MAIL``, ``RCPT``, ``DATA``), the answer; None is the usual one."""

COMMANDS = ("EHLO", "RSET", "MAIL", "RCPT", "DATA")
"""Those that can be answered differently, or late. ``DATA`` is the end of the message."""


class MailServer:
    """Keeps what it took in ``messages``, and every command that clients sent in ``heard``.

    ``delays`` are seconds before a command is answered; ``pause`` those between taking a message and saying so.
    """

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.heard: list[str] = []
        self.script: Script = lambda _command: None
        self.delays: dict[str, float] = {}
        self.pause = 0.0
        self.drops: set[str] = set()
        self.connections = 0
        self.most_connections = 0
        self.opened = 0
        self.port = 0
        self._transports: set[Any] = set()
        self._server: asyncio.Server | None = None
        self._options: dict[str, Any] = {}
        self._tls: ssl.SSLContext | None = None

    @property
    def settings(self) -> dict[str, str]:
        """Those of an app that sends its mail to it."""
        return {"MAIL_BACKEND": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(self.port), "SMTP_TLS": "none"}

    @property
    def message_ids(self) -> list[str]:
        return [str(message["Message-ID"]) for message in self.messages]

    async def start(self, *, tls: ssl.SSLContext | None = None, **options: Any) -> None:
        """On the port of the last time, or any. ``tls`` is for TLS from the first byte."""
        self._tls, self._options = tls, options
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Gone, with every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()
        await asyncio.sleep(0)

    def drop(self) -> None:
        """Breaks the connections that there are."""
        for transport in list(self._transports):
            transport.abort()

    def _protocol(self) -> SMTP:
        options = {"enable_SMTPUTF8": True, "hostname": "mail.test", **self._options}
        return _Protocol(self, loop=asyncio.get_running_loop(), **options)

    async def step(self, command: str, session: Session) -> str | None:
        self.heard.append(command)
        if command in self.drops:
            self.drops.discard(command)
            self.drop()
            return "421 dropped"
        if delay := self.delays.get(command):
            await asyncio.sleep(delay)
        return self.script(command)

    async def handle_EHLO(  # noqa: N802 - the name is aiosmtpd's
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        if answer := await self.step("EHLO", session):
            return [answer]
        session.host_name = hostname
        return responses

    async def handle_RSET(self, _server: SMTP, session: Session, _envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        return await self.step("RSET", session) or "250 OK"

    async def handle_MAIL(  # noqa: N802 - the name is aiosmtpd's
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := await self.step("MAIL", session):
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if answer := await self.step("RCPT", session):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        if answer := await self.step("DATA", session):
            return answer
        content = envelope.original_content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=SMTP_POLICY)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.recipients += envelope.rcpt_tos
        await asyncio.sleep(self.pause)
        return "250 OK"


class _Protocol(SMTP):
    def __init__(self, owner: MailServer, **options: Any) -> None:
        self._owner = owner
        super().__init__(owner, **options)

    def connection_made(self, transport: Any) -> None:
        if transport not in self._owner._transports and not hasattr(self, "_counted"):
            self._counted = True
            self._owner.opened += 1
            self._owner.connections += 1
            self._owner.most_connections = max(self._owner.most_connections, self._owner.connections)
        self._owner._transports.add(transport)
        self._mine = transport
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._owner._transports.discard(self._mine)
        self._owner.connections -= 1
        super().connection_lost(error)


class Accounts:
    """Takes one name and password."""

    def __init__(self, user: str, password: str) -> None:
        self._expected = (user.encode(), password.encode())

    def __call__(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=(data.login, data.password) == self._expected, handled=False)


@asynccontextmanager
async def mail_server(**options: Any) -> AsyncIterator[MailServer]:
    """A server that is there until the end of the block."""
    server = MailServer()
    await server.start(**options)
    try:
        yield server
    finally:
        await server.stop()
