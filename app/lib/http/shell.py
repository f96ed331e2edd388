"""The outer shell: what every HTTP exchange, and every handshake of a WebSocket, gets in any case.

It wraps Litestar's router, because Litestar's middleware does not run for unrouted requests (404 and 405), and answers
what the router and the middleware raise. In the order of a request: who the client is, request id, log context, header
limit, preflight, HEAD as GET, body timeout, the limit on everything; and of a response: 304 for what the client has,
``Allow`` completed, security, cache, limit and CORS headers, timing, access log and metrics.

An ASGI application refuses a handshake by closing the socket, which servers answer with a bare 403. Here the answer is
the problem that was meant, by the extension of ASGI for it ("websocket.http.response").
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Protocol

import structlog
from litestar.enums import ScopeType
from litestar.exceptions import MethodNotAllowedException
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send, WebSocketScope

from app.lib.db.base import new_id
from app.lib.errors import AppError, PermissionDenied, Unavailable
from app.lib.http.conditional import check_if_none_match, if_none_match, is_personal, with_owner
from app.lib.http.cors import CORS
from app.lib.http.deprecation import deprecation_headers
from app.lib.http.heads import Headers, TimedReceive, check_head, check_header_bytes, headers_by_name, send_body
from app.lib.http.problems import DENIAL, error_of, head_and_body, send_problem
from app.lib.http.proxies import TrustedProxies
from app.lib.http.rules import BY_HEAD, complete_allow, has_head
from app.lib.observability.logging import write_event
from app.lib.security.policies import principal_in

REFUSAL = "refusal"
"""Where ``scope["state"]`` holds what a socket's handler raised."""

_SWITCHING, _OK, _NO_CONTENT, _NOT_MODIFIED, _METHOD_NOT_ALLOWED = 101, 200, 204, 304, 405
_BROKEN, _POLICY, _PASSING = 1011, 1008, {1011, 1012, 1013}
_READ_AHEAD = 4_096
"""Bytes of a body that a server has read before we look at it, with any buffers; what is more may get lost."""
_BODY_HEADERS = {b"content-length", b"content-type", b"content-encoding"}
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

Observer = Callable[[str, str, int, float], None]
"""Called after each exchange with method, route template, status and seconds."""

OnDenial = Callable[[Scope, AppError], Awaitable[None]]
"""Called with each denial before its response starts; it has to deal with its own faults."""


class Limit(Protocol):
    """The limit on everything, see :class:`~app.lib.ratelimit.general.GeneralLimit`."""

    async def enter(self, scope: Scope) -> None: ...
    def leave(self, scope: Scope) -> None: ...
    def headers(self, scope: Scope) -> Headers: ...


_access = logging.getLogger("app.access")
log = structlog.get_logger(_access.name)


@dataclass
class Shell:
    """An ASGI application around another one. Limits are in bytes and seconds.

    ``hsts`` is for services that are reached over TLS. Responses below the ``no_store`` path prefixes, and those of
    personal URLs, are not to be kept, unless a route says otherwise.
    """

    app: ASGIApp
    cors: CORS
    _: KW_ONLY
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    limit: Limit | None = None
    observe: Observer | None = None
    on_denial: OnDenial | None = None
    hsts: bool = False
    no_store: tuple[str, ...] = ()
    max_header_bytes: int = 32_768
    body_idle_seconds: float = 15.0
    body_total_seconds: float = 120.0
    response_idle_seconds: float = 60.0

    def __post_init__(self) -> None:
        self.fixed_headers: Headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"server", b""),
            (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        ]
        if self.hsts:
            self.fixed_headers.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.proxies.find_client(scope)
        if scope["type"] == ScopeType.WEBSOCKET:
            await Handshake(self, scope, receive, send).run()
        else:
            await Exchange(self, scope, receive, send).run()


class Conversation:
    """What a request and a handshake have in common. ``request_id`` is the client's own where it may be logged."""

    def __init__(self, shell: Shell, scope: Scope, send: Send) -> None:
        self.started_at = time.perf_counter()
        self.shell = shell
        self.send = send
        self.status = 0
        self.headers = headers_by_name(scope["headers"])
        given = self.headers.get(b"x-request-id", b"")
        ids = {"request_id": str(new_id())}
        if _REQUEST_ID.fullmatch(given):  # the client may send it with many requests, so ours goes along
            ids = {"request_id": given.decode(), "own_request_id": ids["request_id"]}
        self.request_id = ids["request_id"]
        scope["state"].update(ids)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**ids)

    def leave_limit(self, scope: Scope) -> None:
        if self.shell.limit is not None:
            self.shell.limit.leave(scope)

    def write_access_line(self, event: str, scope: Scope, **members: object) -> None:
        if not _access.isEnabledFor(logging.INFO):
            return
        client = scope.get("client")
        line = {
            "event": event,
            "path": scope["path"],
            "route": route_of(scope),
            "status": self.status,
            "client": client[0] if client else None,
            **members,
        }
        write_event(_access.name, "info", line)


def route_of(scope: Scope) -> str:
    """The template of the path, once it is routed."""
    return str(scope.get("path_template") or "unmatched")


class Exchange(Conversation):
    """One request and its response."""

    def __init__(self, shell: Shell, scope: HTTPScope, receive: Receive, send: Send) -> None:
        super().__init__(shell, scope, send)
        self.scope = scope
        self.receive = TimedReceive(receive, idle=shell.body_idle_seconds, total=shell.body_total_seconds)
        self.method = scope["method"]
        self.bodyless = self.method == "HEAD"
        self.stopped = False
        self.has_length = False

    async def run(self) -> None:
        """Runs the application and never lets an exception out before the response has started."""
        try:
            await self._run()
        except Exception as exc:
            if self.stopped:  # from making a body that is not wanted
                return
            error = error_of(exc, self.scope)
            if self.status:  # half an answer is out; raising makes the server cut the connection, so that it shows
                raise
            if self.method == "OPTIONS" and isinstance(exc, MethodNotAllowedException):  # a path with sockets alone
                await self._send_no_content([(b"allow", b"OPTIONS")])
            else:
                await send_problem(self.scope, self._send, error)
        finally:
            self.leave_limit(self.scope)
            seconds = time.perf_counter() - self.started_at
            if self.shell.observe is not None:
                self.shell.observe(self.method, route_of(self.scope), self.status, seconds)
            self.write_access_line("request", self.scope, method=self.method, ms=round(seconds * 1000, 2))

    async def _run(self) -> None:
        check_header_bytes(self.scope, self.shell.max_header_bytes)
        check_head(self.scope, self.headers)
        check_if_none_match(self.headers.get(b"if-none-match", b""))
        if self.method == "HEAD" and has_head(self.scope):
            self.scope["method"], self.scope["state"][BY_HEAD] = "GET", True
        elif self.method == "OPTIONS":
            extra = self.shell.cors.preflight(self.scope, self.headers)
            if extra is not None:
                await self._send_no_content(extra)
                return
        if self.shell.limit is not None:
            await self.shell.limit.enter(self.scope)
        await self.shell.app(self.scope, self.receive, self._send)

    async def _send_no_content(self, headers: Headers) -> None:
        await self._send({"type": "http.response.start", "status": _NO_CONTENT, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._leaves_body() and b"expect" not in self.headers:
                await self.receive.discard()
            if self.shell.on_denial is not None and (denial := self.scope["state"].get(DENIAL)) is not None:
                await self.shell.on_denial(self.scope, denial)
            self._start(message)
            await self.send(message)
            if not self.bodyless or self.has_length or self.status != _OK:
                return
        if self.bodyless:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
            if message.get("more_body", "status" in message):  # a stream is not begun, and has no end of its own
                self.stopped = True
                raise ResponseComplete
        else:
            try:
                await send_body(self.send, message, idle=self.shell.response_idle_seconds)
            except TimeoutError:
                log.info("response.unread", path=self.scope["path"], route=route_of(self.scope))
                self.stopped = self.has_length  # the server notices that something is missing
                raise

    def _start(self, message: Any) -> None:
        headers: Headers = [(name.lower(), value) for name, value in message["headers"]]
        personal = is_personal(self.scope)
        if personal and (owner := principal_in(self.scope)) is not None:
            headers = [
                (name, with_owner(value, owner.user_id) if name == b"etag" else value) for name, value in headers
            ]
        self._condition(message, headers)
        if self._leaves_body():
            headers.append((b"connection", b"close"))
        self.receive.release()
        self.status = message["status"]
        if self.status == _METHOD_NOT_ALLOWED:
            head = has_head(self.scope)
            headers = [(n, complete_allow(value, has_head=head) if n == b"allow" else value) for n, value in headers]
        present = {name for name, _ in headers}
        self.has_length = b"content-length" in present
        headers += [header for header in self.shell.fixed_headers if header[0] not in present]
        headers += deprecation_headers(self.scope)
        if b"cache-control" not in present:
            secret = str(self.scope.get("path_template") or self.scope["path"]).startswith(self.shell.no_store)
            headers.append((b"cache-control", b"no-store" if secret or personal else b"private, no-cache"))
        if self.shell.limit is not None:
            headers += self.shell.limit.headers(self.scope)
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


class Handshake(Conversation):
    """One WebSocket, from the request for it to its end. A refusal is a problem with a status of its own.

    What happens once it is open is between the two sides of the socket.
    """

    def __init__(self, shell: Shell, scope: WebSocketScope, receive: Receive, send: Send) -> None:
        super().__init__(shell, scope, send)
        self.scope = scope
        self.receive = receive
        self.is_open = False

    async def run(self) -> None:
        """Runs the application and never lets an exception out."""
        try:
            check_header_bytes(self.scope, self.shell.max_header_bytes)
            check_head(self.scope, self.headers)
            self.shell.cors.check_opener(self.scope)
            if self.shell.limit is not None:
                await self.shell.limit.enter(self.scope)
            await self.shell.app(self.scope, self.receive, self._send)
        except Exception as exc:  # noqa: BLE001 - each one has its answer
            self.scope["state"][REFUSAL] = exc
            await self._send({"type": "websocket.close", "code": _BROKEN, "reason": ""})
        finally:
            self.leave_limit(self.scope)
            self.write_access_line("socket", self.scope, seconds=round(time.perf_counter() - self.started_at, 2))

    async def _send(self, message: Message) -> None:
        failure: Exception | None = self.scope["state"].pop(REFUSAL, None)
        if message["type"] == "websocket.accept":
            self.is_open, self.status = True, _SWITCHING
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
        elif message["type"] == "websocket.close" and not self.is_open:
            # An application that closes the socket instead of opening it.
            closed = Unavailable() if message["code"] in _PASSING else PermissionDenied()
            await self._refuse(closed if failure is None else error_of(failure, self.scope))
            return
        elif failure is not None:
            log.error("socket.failed", path=self.scope["path"], route=route_of(self.scope), exc_info=failure)
            message = {"type": "websocket.close", "code": _BROKEN, "reason": ""}
        await self.send(message)

    async def _refuse(self, error: AppError) -> None:
        if self.status:
            return
        self.status = error.status
        if error.is_denial and self.shell.on_denial is not None:
            await self.shell.on_denial(self.scope, error)
        if "websocket.http.response" not in (self.scope.get("extensions") or {}):
            await self.send({"type": "websocket.close", "code": _POLICY, "reason": ""})  # which servers answer with 403
            return
        headers, body = head_and_body(self.scope, error)
        headers += [*self.shell.fixed_headers, (b"cache-control", b"no-store")]
        headers.append((b"x-request-id", self.request_id.encode()))
        start: Any = {"type": "websocket.http.response.start", "status": error.status, "headers": headers}
        rest: Any = {"type": "websocket.http.response.body", "body": body, "more_body": False}
        await self.send(start)
        await self.send(rest)


async def remember_refusal(exc: Exception, scope: Scope) -> None:
    """For ``Litestar(after_exception=[...])``, which closes a socket without a word about what it was."""
    if scope["type"] == ScopeType.WEBSOCKET:
        scope["state"][REFUSAL] = exc
