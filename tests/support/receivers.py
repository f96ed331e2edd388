"""Servers that receive webhooks: real ones, with real certificates, on a port of this machine."""

import asyncio
import contextlib
import datetime as dt
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import httpcore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.lib.webhooks.sender import WebhookSender

HOST = "hooks.example.com"
PUBLIC = "93.184.215.14"
"""A public address; tests route it to a port of this machine."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    """A request as it came over the wire."""

    target: str
    headers: dict[str, str]
    body: bytes


def answering(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Answers like a server that means it."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        named = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        writer.write(f"HTTP/1.1 {status} Some Words\r\n{head}\r\n".encode() + body)
        await writer.drain()

    return answer


def saying(*chunks: bytes, then: Callable[[], Awaitable[None]] | None = None) -> Behaviour:
    """Writes what it is given, and then does something else, such as nothing for ever."""

    async def say(writer: asyncio.StreamWriter) -> None:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        if then is not None:
            await then()

    return say


def endlessly(head: bytes, chunk: bytes) -> Behaviour:
    """Never stops writing."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(chunk)
            await writer.drain()

    return write


async def forever() -> None:
    await asyncio.Event().wait()


@dataclass
class Receiver:
    """What came in, and how to answer to it."""

    behaviour: Behaviour = field(default_factory=lambda: answering(204))
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    greets: bool = True
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._tasks.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                self.received.append(await _read_request(reader))
                await self.behaviour(writer)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Received(head[0].split(" ")[1], headers, await reader.readexactly(int(headers.get("content-length", "0"))))


@asynccontextmanager
async def receiver(
    behaviour: Behaviour | None = None, *, host: str = HOST, tls: bool = True
) -> AsyncIterator[Receiver]:
    """A server with a certificate for ``host`` on 127.0.0.1."""
    one = Receiver(behaviour or answering(204))
    server = await asyncio.start_server(
        one.serve, "127.0.0.1", 0, ssl=_server_context(host) if tls else None, ssl_shutdown_timeout=1 if tls else None
    )
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        await one.stop()


class Names:
    """A resolver that gives the answers it was given, one after another, and the last one again and again."""

    def __init__(self, *answers: Iterable[str]) -> None:
        self._answers = [list(answer) for answer in answers]
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Wire(httpcore.AsyncNetworkBackend):
    """Carries connections to made-up addresses to ports of this machine, and remembers which were asked for."""

    def __init__(self, routes: Mapping[str, int]) -> None:
        self._routes = routes
        self._wire = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())
        self.connected: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connected.append(host)
        if host not in self._routes:
            raise httpcore.ConnectError("no route to host")
        return await self._wire.connect_tcp("127.0.0.1", self._routes[host], timeout)


def sender_to(port: int, *, names: Names | None = None, wire: Wire | None = None, **options: Any) -> WebhookSender:
    """A sender for whom the receiver on this port has a public address."""
    values: dict[str, Any] = {
        "user_agent": "Tests",
        "trust": trust(),
        "resolve": names or Names([PUBLIC]),
        "wire": wire or Wire({PUBLIC: port}),
        **options,
    }
    return WebhookSender(**values)


@cache
def _authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        _certificate(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, made


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
    )


@cache
def trust() -> ssl.SSLContext:
    """A client's context that trusts the authority of the tests and no other."""
    pem = _authority()[1].public_bytes(serialization.Encoding.PEM).decode()
    return ssl.create_default_context(cadata=pem)


@cache
def _server_context(host: str) -> ssl.SSLContext:
    authority_key, authority = _authority()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A receiver")])
    certificate = (
        _certificate(name, authority.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        Path(file.name).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(file.name)
    return context
