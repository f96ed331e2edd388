"""The outer shell: what every HTTP exchange, and every handshake of a WebSocket, gets in any case.

It wraps ``app.asgi_handler``, because Litestar's middleware does not run for unrouted requests (404 and 405).
In the order of a request: request id, log context, header limit, preflight, HEAD as GET, body timeout; and of a
response: 304 for what the client has, ``Allow`` completed, security, cache and CORS headers, timing, access log and
metrics.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from app.lib.errors import AppError, InternalError, RequestTimeout
from app.lib.http.conditional import check_if_none_match, if_none_match
from app.lib.http.cors import CORS, Origins
from app.lib.http.handshake import Handshake, HandshakeOptions
from app.lib.http.heads import Conversation, Headers, check_header_bytes, log, route_of
from app.lib.http.problems import DENIAL, send_problem
from app.lib.http.rules import with_head

_OK, _NO_CONTENT, _NOT_MODIFIED, _METHOD_NOT_ALLOWED = 200, 204, 304, 405
_READ_AHEAD = 4_096
"""Bytes of a body that a server has read before we look at it, with any buffers; what is more may get lost."""
_BODY_HEADERS = {b"content-length", b"content-type", b"content-encoding"}


class ShellOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Limits in bytes and seconds. ``hsts`` is for services that are reached over TLS.

    Responses below the ``no_store`` path prefixes are not to be kept, unless a route says otherwise. ``own_origin`` is
    the service's own, as browsers spell it.
    """

    hsts: bool = False
    no_store: tuple[str, ...] = ()
    own_origin: str = ""
    max_header_bytes: int = 32_768
    body_idle_seconds: float = 15.0
    body_total_seconds: float = 120.0


Observer = Callable[[str, str, int, float], None]
"""Called after each exchange with method, route template, status and seconds."""

OnDenial = Callable[[Scope, AppError], Awaitable[None]]
"""Called with each denial before its response starts; it has to deal with its own faults."""


class Shell:
    """An ASGI application around another one."""

    def __init__(
        self,
        app: ASGIApp,
        options: ShellOptions,
        cors: CORS,
        observe: Observer | None = None,
        on_denial: OnDenial | None = None,
    ) -> None:
        self.app = app
        self.options = options
        self.cors = cors
        self.observe = observe
        self.on_denial = on_denial
        self.fixed_headers: Headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"server", b""),
            (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        ]
        if options.hsts:
            self.fixed_headers.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
        self._handshake = HandshakeOptions(
            Origins(cors, options.own_origin),
            options.max_header_bytes,
            [*self.fixed_headers, (b"cache-control", b"no-store")],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] == ScopeType.WEBSOCKET:
            await Handshake(self.app, self._handshake, self.on_denial, scope, receive, send).run()
        else:
            await Exchange(self, scope, receive, send).run()


class Exchange(Conversation):
    """One request and its response."""

    def __init__(self, shell: Shell, scope: HTTPScope, receive: Receive, send: Send) -> None:
        super().__init__(scope)
        options = shell.options
        self.shell = shell
        self.scope = scope
        self.receive = TimedReceive(receive, idle=options.body_idle_seconds, total=options.body_total_seconds)
        self.send = send
        self.method = scope["method"]
        self.bodyless = self.method == "HEAD"
        self.stopped = False

    async def run(self) -> None:
        """Runs the application and never lets an exception out before the response has started."""
        try:
            await self._run()
        except Exception as exc:
            if self.stopped:  # from making a body that is not wanted
                return
            if not isinstance(exc, AppError):
                log.exception("request.failed", method=self.method, path=self.scope["path"])
            if self.status:  # half an answer is out; raising makes the server cut the connection, so that it shows
                raise
            await send_problem(self.scope, self._send, exc if isinstance(exc, AppError) else InternalError())
        finally:
            seconds = time.perf_counter() - self.started_at
            if self.shell.observe is not None:
                self.shell.observe(self.method, route_of(self.scope), self.status, seconds)
            self.write_access_line("request", self.scope, method=self.method, ms=round(seconds * 1000, 2))

    async def _run(self) -> None:
        check_header_bytes(self.scope, self.shell.options.max_header_bytes)
        check_if_none_match(self.headers.get(b"if-none-match", b""))
        if self.method == "HEAD":
            self.scope["method"] = "GET"
        elif self.method == "OPTIONS":
            asked = self.headers.get(b"access-control-request-method")
            extra = self.shell.cors.preflight(self.headers.get(b"origin"), asked)
            if extra is not None:
                await self._send({"type": "http.response.start", "status": _NO_CONTENT, "headers": extra})
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                return
        await self.shell.app(self.scope, self.receive, self._send)

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self.shell.on_denial is not None and (denial := self.scope["state"].get(DENIAL)) is not None:
                await self.shell.on_denial(self.scope, denial)
            self._start(message)
            await self.send(message)
        elif message["type"] == "http.response.body" and self.bodyless:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
            if message.get("more_body"):  # a stream is stopped, because it may have no end of its own
                self.stopped = True
                raise ResponseComplete
        else:
            await self.send(message)

    def _start(self, message: Any) -> None:
        headers: Headers = [(name.lower(), value) for name, value in message["headers"]]
        self._condition(message, headers)
        if self._leaves_body():
            headers.append((b"connection", b"close"))
        self.receive.release()
        self.status = message["status"]
        if self.status == _METHOD_NOT_ALLOWED:
            headers = [(name, with_head(value) if name == b"allow" else value) for name, value in headers]
        present = {name for name, _ in headers}
        headers += [header for header in self.shell.fixed_headers if header[0] not in present]
        if b"cache-control" not in present:
            secret = self.scope["path"].startswith(self.shell.options.no_store)
            headers.append((b"cache-control", b"no-store" if secret else b"private, no-cache"))
        self._allow_origin(headers)
        headers.append((b"x-request-id", self.request_id.encode()))
        headers.append((b"x-process-time", f"{time.perf_counter() - self.started_at:.6f}".encode()))
        message["headers"] = headers

    def _leaves_body(self) -> bool:
        """Whether the server will cut the connection because much of the body was not read: then the client has to
        know (RFC 9112 section 9.6), else it sends its next request into the void.
        """
        if self.receive.is_complete or not self.scope.get("http_version", "1.1").startswith("1"):
            return False
        length = self.headers.get(b"content-length", b"0")
        return b"transfer-encoding" in self.headers or not length.isdigit() or int(length) > _READ_AHEAD

    def _allow_origin(self, headers: Headers) -> None:
        """Adds the CORS headers; what else the response varies by is kept in one ``Vary``."""
        for name, value in self.shell.cors.headers(self.headers.get(b"origin")):
            if name == b"vary":
                varies = [value, *(other for header, other in headers if header == b"vary")]
                headers[:] = [header for header in headers if header[0] != b"vary"]
                headers.append((b"vary", b", ".join(varies)))
            else:
                headers.append((name, value))

    def _condition(self, message: Any, headers: Headers) -> None:
        """Turns a 200 to a GET into a 304 when the client has this very version (RFC 9110 section 13.1.2)."""
        wanted = self.headers.get(b"if-none-match")
        if wanted is None or message["status"] != _OK or self.scope["method"] != "GET":
            return
        etag = next((value for name, value in headers if name == b"etag"), None)
        if etag is not None and if_none_match(wanted, etag):
            message["status"] = _NOT_MODIFIED
            headers[:] = [(name, value) for name, value in headers if name not in _BODY_HEADERS]
            self.bodyless = True


class ResponseComplete(Exception):
    """Ends an application that would go on streaming after its response is over."""


class TimedReceive:
    """Limits how long a request body may take, which no server below does.

    Wraps ``receive`` until the body is complete or the response has begun, which :meth:`release` says. Until then
    silence of ``idle`` seconds, ``total`` seconds altogether, or a client that goes away raise ``RequestTimeout``.
    Waiting for a disconnect afterwards may take as long as it takes.
    """

    __slots__ = ("_deadline", "_idle", "_receive", "_released")

    def __init__(self, receive: Receive, *, idle: float, total: float) -> None:
        self._receive = receive
        self._idle = idle
        self._deadline = time.monotonic() + total
        self._released = False

    def release(self) -> None:
        """Ends the watch."""
        self._released = True

    @property
    def is_complete(self) -> bool:
        """Whether the whole body has been read. Only of interest before the response has begun."""
        return self._released

    async def __call__(self) -> Any:
        """The next message. Raises ``RequestTimeout`` (408)."""
        if self._released:
            return await self._receive()
        patience = min(self._idle, self._deadline - time.monotonic())
        try:
            async with asyncio.timeout(max(patience, 0.001)):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout from None
        if message["type"] != "http.request":
            raise RequestTimeout
        self._released = not message.get("more_body")
        return message
