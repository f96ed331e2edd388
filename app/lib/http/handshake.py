"""How WebSockets begin: who may not gets a problem with a status of its own, before anything is opened.

An ASGI application refuses a handshake by closing the socket, which servers answer with a bare 403. Here the answer is
the problem that was meant, by the extension of ASGI for it ("websocket.http.response").
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send, WebSocketScope

from app.lib.errors import AppError, PermissionDenied, Unavailable
from app.lib.http.cors import CORS, Origins
from app.lib.http.heads import check_header_bytes, headers_by_name, request_id_of
from app.lib.http.problems import MEDIA_TYPE, error_of, instance_of, render

Headers = list[tuple[bytes, bytes]]
OnDenial = Callable[[Scope, AppError], Awaitable[None]]

REFUSAL = "refusal"
"""Where ``scope["state"]`` holds what a socket's handler raised."""

_SWITCHING = 101
_BROKEN, _POLICY = 1011, 1008
_PASSING = {1011, 1012, 1013}

log = structlog.get_logger("app.access")


class Handshakes:
    """What they have in common."""

    def __init__(
        self,
        app: ASGIApp,
        cors: CORS,
        *,
        own_origin: str,
        max_header_bytes: int,
        refusal_headers: Headers,
        on_denial: OnDenial | None,
    ) -> None:
        self.app = app
        self.origins = Origins(cors, own_origin)
        self.max_header_bytes = max_header_bytes
        self.refusal_headers = refusal_headers
        self.on_denial = on_denial


class Handshake:
    """One WebSocket, from the request for it to its end. A refusal is a problem with a status of its own.

    What happens once it is open is between the two sides of the socket.
    """

    __slots__ = ("headers", "is_open", "receive", "request_id", "scope", "send", "shared", "started_at", "status")

    def __init__(self, shared: Handshakes, scope: WebSocketScope, receive: Receive, send: Send) -> None:
        self.shared = shared
        self.scope = scope
        self.receive = receive
        self.send = send
        self.started_at = time.perf_counter()
        self.headers = headers_by_name(scope["headers"])
        self.request_id = request_id_of(self.headers)
        self.is_open = False
        self.status = 0

    async def run(self) -> None:
        """Runs the application and never lets an exception out."""
        self.scope["state"]["request_id"] = self.request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=self.request_id)
        try:
            check_header_bytes(self.scope, self.shared.max_header_bytes)
            self.shared.origins.check(self.scope)
            await self.shared.app(self.scope, self.receive, self._send)
        except Exception as exc:  # noqa: BLE001 - each one has its answer
            self.scope["state"][REFUSAL] = exc
            await self._send({"type": "websocket.close", "code": _BROKEN, "reason": ""})
        finally:
            self._finish()

    async def _send(self, message: Message) -> None:
        failure: Exception | None = self.scope["state"].pop(REFUSAL, None)
        if message["type"] == "websocket.accept":
            self.is_open, self.status = True, _SWITCHING
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
        elif message["type"] == "websocket.close" and not self.is_open:
            await self._refuse(_refusal(message) if failure is None else error_of(failure))
            return
        elif failure is not None:
            log.error("socket.failed", path=self.scope["path"], exc_info=failure)
            message = {"type": "websocket.close", "code": _BROKEN, "reason": ""}
        await self.send(message)

    async def _refuse(self, error: AppError) -> None:
        if self.status:
            return
        self.status = error.status
        if error.is_denial and self.shared.on_denial is not None:
            await self.shared.on_denial(self.scope, error)
        if "websocket.http.response" not in (self.scope.get("extensions") or {}):
            await self.send({"type": "websocket.close", "code": _POLICY, "reason": ""})  # which servers answer with 403
            return
        body = render(error, instance_of(self.scope["path"]), self.request_id)
        headers = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        headers += self.shared.refusal_headers
        headers += [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        headers.append((b"x-request-id", self.request_id.encode()))
        start: Any = {"type": "websocket.http.response.start", "status": error.status, "headers": headers}
        rest: Any = {"type": "websocket.http.response.body", "body": body, "more_body": False}
        await self.send(start)
        await self.send(rest)

    def _finish(self) -> None:
        client = self.scope.get("client")
        log.info(
            "socket",
            path=self.scope["path"],
            route=str(self.scope.get("path_template") or "unmatched"),
            status=self.status,
            seconds=round(time.perf_counter() - self.started_at, 2),
            client=client[0] if client else None,
        )


def _refusal(message: Any) -> AppError:
    """Of an application that closes the socket instead of opening it."""
    return Unavailable() if message["code"] in _PASSING else PermissionDenied()


async def remember_refusal(exc: Exception, scope: Scope) -> None:
    """For ``Litestar(after_exception=[...])``, which closes a socket without a word about what it was."""
    if scope["type"] == ScopeType.WEBSOCKET:
        scope["state"][REFUSAL] = exc
