"""How WebSockets begin: who may not gets a problem with a status of its own, before anything is opened.

An ASGI application refuses a handshake by closing the socket, which servers answer with a bare 403. Here the answer is
the problem that was meant, by the extension of ASGI for it ("websocket.http.response").
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send, WebSocketScope

from app.lib.errors import AppError, PermissionDenied, Unavailable
from app.lib.http.cors import Origins
from app.lib.http.heads import Conversation, Headers, check_header_bytes, log
from app.lib.http.problems import error_of, head_and_body

OnDenial = Callable[[Scope, AppError], Awaitable[None]]

REFUSAL = "refusal"
"""Where ``scope["state"]`` holds what a socket's handler raised."""

_SWITCHING = 101
_BROKEN, _POLICY = 1011, 1008
_PASSING = {1011, 1012, 1013}


class HandshakeOptions(msgspec.Struct, frozen=True):
    """Whose pages may open sockets, and what a refusal carries."""

    origins: Origins
    max_header_bytes: int
    refusal_headers: Headers


class Handshake(Conversation):
    """One WebSocket, from the request for it to its end. A refusal is a problem with a status of its own.

    What happens once it is open is between the two sides of the socket.
    """

    def __init__(
        self,
        app: ASGIApp,
        options: HandshakeOptions,
        on_denial: OnDenial | None,
        scope: WebSocketScope,
        receive: Receive,
        send: Send,
    ) -> None:
        super().__init__(scope)
        self.app = app
        self.options = options
        self.on_denial = on_denial
        self.scope = scope
        self.receive = receive
        self.send = send
        self.is_open = False

    async def run(self) -> None:
        """Runs the application and never lets an exception out."""
        try:
            check_header_bytes(self.scope, self.options.max_header_bytes)
            self.options.origins.check(self.scope)
            await self.app(self.scope, self.receive, self._send)
        except Exception as exc:  # noqa: BLE001 - each one has its answer
            self.scope["state"][REFUSAL] = exc
            await self._send({"type": "websocket.close", "code": _BROKEN, "reason": ""})
        finally:
            self.write_access_line("socket", self.scope, seconds=round(time.perf_counter() - self.started_at, 2))

    async def _send(self, message: Message) -> None:
        failure: Exception | None = self.scope["state"].pop(REFUSAL, None)
        if message["type"] == "websocket.accept":
            self.is_open, self.status = True, _SWITCHING
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
        elif message["type"] == "websocket.close" and not self.is_open:
            # An application that closes the socket instead of opening it.
            closed = Unavailable() if message["code"] in _PASSING else PermissionDenied()
            await self._refuse(closed if failure is None else error_of(failure))
            return
        elif failure is not None:
            log.error("socket.failed", path=self.scope["path"], exc_info=failure)
            message = {"type": "websocket.close", "code": _BROKEN, "reason": ""}
        await self.send(message)

    async def _refuse(self, error: AppError) -> None:
        if self.status:
            return
        self.status = error.status
        if error.is_denial and self.on_denial is not None:
            await self.on_denial(self.scope, error)
        if "websocket.http.response" not in (self.scope.get("extensions") or {}):
            await self.send({"type": "websocket.close", "code": _POLICY, "reason": ""})  # which servers answer with 403
            return
        headers, body = head_and_body(self.scope, error)
        headers += [*self.options.refusal_headers, (b"x-request-id", self.request_id.encode())]
        start: Any = {"type": "websocket.http.response.start", "status": error.status, "headers": headers}
        rest: Any = {"type": "websocket.http.response.body", "body": body, "more_body": False}
        await self.send(start)
        await self.send(rest)


async def remember_refusal(exc: Exception, scope: Scope) -> None:
    """For ``Litestar(after_exception=[...])``, which closes a socket without a word about what it was."""
    if scope["type"] == ScopeType.WEBSOCKET:
        scope["state"][REFUSAL] = exc
