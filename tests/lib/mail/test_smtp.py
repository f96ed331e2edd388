"""Sending by SMTP, to a real server that does what servers do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.lib.mail.message import Mailbox
from app.lib.mail.smtp import SMTPOptions, SMTPTransport
from app.lib.mail.transports import PermanentFailure, TemporaryFailure
from app.lib.settings import Secret
from tests.lib.mail.test_message import outgoing
from tests.support.certificates import self_signed
from tests.support.mailserver import Accounts, MailServer, mail_server
from tests.support.waiting import until


@pytest_asyncio.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


def transport_to(server: MailServer, **options: Any) -> SMTPTransport:
    return SMTPTransport(SMTPOptions(**{"host": "127.0.0.1", "port": server.port, "security": "none", **options}))


def always(answer: str, command: str) -> Callable[[str], str | None]:
    return lambda heard: answer if heard == command else None


async def test_a_mail_arrives_as_it_was_written(server: MailServer) -> None:
    text = "Hello\n.\n..two dots\n" + "x" * 2000 + "\n"

    await transport_to(server).send(outgoing(text=text, subject="Grüße"))

    (message,) = server.messages
    assert message["Subject"] == "Grüße"
    assert server.recipients == ["ada@example.com"]
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == text


async def test_connections_are_bounded(server: MailServer) -> None:
    server.delays = {"DATA": 0.01}
    transport = transport_to(server, connections=3)

    await asyncio.gather(*(transport.send(outgoing(message_id=f"<{n}@example.com>")) for n in range(20)))

    assert len(set(server.message_ids)) == len(server.message_ids) == 20
    assert server.most_connections == 3


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_4xx_is_temporary_and_5xx_is_not(server: MailServer, command: str) -> None:
    transport = transport_to(server)
    server.script = always("451 try again", command)
    with pytest.raises(TemporaryFailure, match="451 try again"):
        await transport.send(outgoing())
    server.script = always("550 no such user", command)
    with pytest.raises(PermanentFailure, match="550 no such user"):
        await transport.send(outgoing())
    server.script = lambda _command: None
    await transport.send(outgoing())

    assert len(server.messages) == 1


async def test_421_is_temporary(server: MailServer) -> None:
    transport = transport_to(server)
    server.script = always("421 closing", "RCPT")
    with pytest.raises(TemporaryFailure, match="421"):
        await transport.send(outgoing())
    server.script = lambda _command: None
    await transport.send(outgoing())

    assert server.opened == 2


async def test_what_a_server_says_is_one_printable_line(server: MailServer) -> None:
    server.script = always("550-no\r\n550 \x1b[31mred", "RCPT")
    with pytest.raises(PermanentFailure) as caught:
        await transport_to(server).send(outgoing())

    assert caught.value.reason.isprintable()


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_a_connection_lost_in_the_middle_is_temporary(server: MailServer, command: str) -> None:
    transport = transport_to(server)
    server.drops = {command}
    with pytest.raises(TemporaryFailure):
        await transport.send(outgoing())
    await transport.send(outgoing())

    assert len(server.messages) == 1


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
async def test_a_server_that_is_silent_is_not_waited_for_for_ever(server: MailServer, command: str) -> None:
    server.delays = {command: 30}
    with pytest.raises(TemporaryFailure, match="in time"):
        await transport_to(server, command_seconds=0.05, data_seconds=0.05).send(outgoing())


async def test_a_server_that_is_not_there_is_temporary(server: MailServer) -> None:
    await server.stop()

    with pytest.raises(TemporaryFailure, match="connection refused: check SMTP_HOST and SMTP_PORT"):
        await transport_to(server).send(outgoing())


async def test_a_slow_server_is_waited_for(server: MailServer) -> None:
    server.delays = {"MAIL": 0.05, "RCPT": 0.05, "DATA": 0.05}
    await transport_to(server).send(outgoing())

    assert len(server.messages) == 1


async def test_a_cancelled_send_leaves_no_half_used_connection(server: MailServer) -> None:
    transport = transport_to(server)
    server.delays = {"RCPT": 30}
    task = asyncio.create_task(transport.send(outgoing()))
    await until(lambda: "RCPT" in server.heard)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.delays = {}
    await transport.send(outgoing())

    assert len(server.messages) == 1


async def test_an_address_beyond_ascii_goes_where_it_can() -> None:
    mail = outgoing(to=Mailbox("dörte@example.com"))
    async with mail_server() as modern:
        await transport_to(modern).send(mail)
        assert modern.recipients == ["dörte@example.com"]
        assert modern.messages[0]["To"] == "dörte@example.com"
    async with mail_server(enable_SMTPUTF8=False) as old:
        transport = transport_to(old)
        with pytest.raises(PermanentFailure, match="SMTPUTF8"):
            await transport.send(mail)
        await transport.send(outgoing())
        assert len(old.messages) == 1


async def test_the_server_has_to_show_a_good_certificate(tmp_path: Path) -> None:
    context, certificate = self_signed(tmp_path)
    async with mail_server(tls_context=context, require_starttls=True) as server:
        with pytest.raises(
            TemporaryFailure, match=r"certificate is refused \(.*self.signed.*\): check SMTP_HOST and SMTP_CA"
        ):
            await transport_to(server, security="starttls").send(outgoing())
        assert server.messages == []
        await transport_to(server, security="starttls", ca_file=certificate).send(outgoing())
        assert len(server.messages) == 1
    async with mail_server(tls=context) as server:
        await transport_to(server, security="implicit", ca_file=certificate).send(outgoing())
        assert len(server.messages) == 1


async def test_starttls_is_insisted_on(server: MailServer) -> None:
    with pytest.raises(
        TemporaryFailure, match=r"^no connection .*: it does not take STARTTLS: set SMTP_TLS to implicit"
    ):
        await transport_to(server, security="starttls").send(outgoing())

    assert server.heard == ["EHLO"]
    with pytest.raises(TemporaryFailure, match="TLS fails: check SMTP_TLS"):
        await transport_to(server, security="implicit").send(outgoing())
    with pytest.raises(TemporaryFailure, match="takes no sign-in this way: check SMTP_TLS, or unset SMTP_USER"):
        await transport_to(server, user="lodestar", password=Secret("n0t-it")).send(outgoing())


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    context, certificate = self_signed(tmp_path, address="192.0.2.1")
    async with mail_server(tls_context=context) as server:
        with pytest.raises(TemporaryFailure, match=r"certificate is refused .*: check SMTP_HOST and SMTP_CA_FILE"):
            await transport_to(server, security="starttls", ca_file=certificate).send(outgoing())


async def test_signing_in(tmp_path: Path) -> None:
    """A wrong password is our fault, so no mail is lost by it; and it is not shown."""
    context, certificate = self_signed(tmp_path)
    options = {"tls_context": context, "auth_required": True, "authenticator": Accounts("lodestar", "s3cret-word")}
    async with mail_server(**options) as server:
        secure = {"security": "starttls", "ca_file": certificate, "user": "lodestar"}
        with pytest.raises(TemporaryFailure) as wrong:
            await transport_to(server, **secure, password=Secret("n0t-it")).send(outgoing())
        with pytest.raises(TemporaryFailure):
            await transport_to(server, security="starttls", ca_file=certificate).send(outgoing())
        await transport_to(server, **secure, password=Secret("s3cret-word")).send(outgoing())

        assert "n0t-it" not in wrong.value.reason
        assert wrong.value.reason.endswith(": check SMTP_USER and SMTP_PASSWORD")
        assert len(server.messages) == 1


async def test_a_server_that_speaks_something_else_is_temporary() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        transport = SMTPTransport(SMTPOptions(host="127.0.0.1", port=port, security="none", command_seconds=1.0))
        with pytest.raises(TemporaryFailure, match="no connection"):
            await transport.send(outgoing())
