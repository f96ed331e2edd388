"""The deployment under test, and how a check is declared."""

import asyncio
import secrets
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpcore
import msgspec

from app.lib.addresses import parse_address
from app.lib.settings import WebAddress

API = "/api/v1"
_PATIENCE_SECONDS = 70
_TIMEOUT = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), 20.0)}
_TOTAL_SECONDS = 60
"""For a whole answer, also of a server that sends it byte by byte."""
_RATE_LIMITED, _UNAVAILABLE = 429, 503
_BUSY = {_RATE_LIMITED, 502, _UNAVAILABLE, 504}
RawHeaders = list[tuple[bytes, bytes]]


class Unreachable(Exception):
    """Nothing answers at the URL."""


class Broken(Exception):
    """What a check found."""


class Skipped(Exception):
    """Why a check does not apply here."""


class Answer(msgspec.Struct, frozen=True):
    """``headers`` have names in lower case; one that was sent several times is joined with commas.

    ``is_near``: this machine may be one of the proxies that the service trusts, because it came by a private network.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    tls: str | None = None
    is_near: bool = False

    @property
    def retry_after(self) -> int:
        """In seconds; 0 where it is not said, or as a date."""
        found = self.headers.get("retry-after", "")
        return int(found) if found.isascii() and found.isdecimal() else 0

    def json(self) -> dict[str, Any]:
        """The body as an object; empty when it is none."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except msgspec.DecodeError:
            return {}


Send = Callable[[str, str, RawHeaders, bytes], Awaitable[Answer]]
"""Sends one request: method, path with query as it is, headers and body. Raises ``Unreachable``."""


class Account(msgspec.Struct, frozen=True):
    """A user who has signed in for these checks, by this answer."""

    email: str
    access_token: str
    refresh_token: str
    signed_in: Answer


class Target:
    """Asks one deployment. A refusal for its limits or its load is waited for, once, unless a check looks for limits.
    What is refused again was not looked at, so nothing holds by that.
    """

    def __init__(self, send: Send, *, is_https: bool = False) -> None:
        self._send = send
        self.is_https = is_https
        self.account: Account | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str | bytes] = {},
        content: bytes = b"",
        json: object = None,
        waits: bool = True,
    ) -> Answer:
        sent = dict(headers)
        if json is not None:
            content = msgspec.json.encode(json)
            sent.setdefault("Content-Type", "application/json")
        raw = [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in sent.items()]
        answer = await self._send(method, path, raw, content)
        pause = answer.retry_after if answer.status in {_RATE_LIMITED, _UNAVAILABLE} else 0
        if waits and 0 < pause <= _PATIENCE_SECONDS:
            await asyncio.sleep(pause)
            answer = await self._send(method, path, raw, content)
        if answer.status in (_BUSY if waits else _BUSY - {_RATE_LIMITED}):
            raise Unreachable(f"{method} {path} is answered with {answer.status}")
        return answer

    async def sign_in(self, name: str, password: str, **options: Any) -> Answer:
        return await self.ask("POST", f"{API}/auth/login", json={"username": name, "password": password}, **options)

    async def me(self, token: str) -> Answer:
        """Who the bearer of a token is."""
        return await self.ask("GET", f"{API}/users/me", headers={"Authorization": f"Bearer {token}"})


class Check(msgspec.Struct, frozen=True):
    """``run`` raises ``Broken`` or ``Skipped``."""

    title: str
    asvs: tuple[str, ...]
    run: Callable[[Target], Awaitable[None]]


def checks(into: list[Check]) -> Callable[..., Callable[[Callable[[Target], Awaitable[None]]], Check]]:
    """The decorator of a module, which declares its checks in order: ``@check("It holds", "3.4.4")``."""

    def check(title: str, *asvs: str) -> Callable[[Callable[[Target], Awaitable[None]]], Check]:
        def declare(run: Callable[[Target], Awaitable[None]]) -> Check:
            into.append(Check(title, asvs, run))
            return into[-1]

        return declare

    return check


def require(condition: object, found: str) -> None:
    """Raises ``Broken`` unless it holds."""
    if not condition:
        raise Broken(found)


def require_account(target: Target) -> Account:
    """Raises ``Skipped`` without one."""
    if target.account is None:
        raise Skipped("needs --account")
    return target.account


def unknown_name() -> str:
    """An address that no account has."""
    return f"security-check-{secrets.token_hex(8)}@nowhere.invalid"


def over_network(url: str, *, certificates: str | None = None) -> tuple[Send, bool, Callable[[], Awaitable[None]]]:
    """How to send to a URL, whether that is https, and how to close the connections. Certificates are verified.

    Paths are sent as they are, which a client for people would not do. Raises ``ValueError`` for what is no URL.
    """
    parts = urlsplit(WebAddress.parse(url.rstrip("/")))
    context = ssl.create_default_context(cafile=certificates) if parts.scheme == "https" else None
    pool = httpcore.AsyncConnectionPool(ssl_context=context)

    async def send(method: str, path: str, headers: RawHeaders, content: bytes) -> Answer:
        address = httpcore.URL(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port,
            target=f"{parts.path}{path}".encode("latin-1"),
        )
        fields = [(b"Host", parts.netloc.encode()), (b"Accept-Encoding", b"identity"), *headers]
        if content or method not in {"GET", "HEAD", "OPTIONS", "TRACE"}:
            fields.append((b"Content-Length", b"%d" % len(content)))
        try:
            async with (
                asyncio.timeout(_TOTAL_SECONDS),
                pool.stream(method, address, headers=fields, content=content, extensions=_TIMEOUT) as response,
            ):
                stream = response.extensions["network_stream"]
                tls, is_near = stream.get_extra_info("ssl_object"), _is_near(stream)
                body = b"" if response.status == 101 else await response.aread()  # noqa: PLR2004 - switching protocols
                return Answer(response.status, _joined(response.headers), body, tls.version() if tls else None, is_near)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as exc:
            raise Unreachable(f"{type(exc).__name__}: {exc}".removesuffix(": ")) from exc

    return send, parts.scheme == "https", pool.aclose


def _is_near(stream: Any) -> bool:
    """Whether it leads to this machine or into a private network; also where it is closed already."""
    ends = [stream.get_extra_info(name) or ("",) for name in ("client_addr", "server_addr")]
    own, peer = (parse_address(end[0]) for end in ends)
    return own == peer or peer is None or not peer.is_global


def _joined(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
