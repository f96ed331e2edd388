"""The limit on everything, around the whole application."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

from app.lib.errors import RateLimited
from app.lib.ratelimit.limiter import NamedLimit, RateLimiter, client_key, rate_limit_headers

VERDICTS = "rate_limits"
"""Where ``scope["state"]`` holds the list of the request's verdicts, the general one first."""

PROBES = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
"""Paths that monitors ask often and that must answer when the service is at its limits."""


class TooManyOpen(RateLimited):
    """An address has too many requests, streams and sockets at the same time."""

    detail = "Too many requests, streams and sockets of this address are open. Close some, or wait for their end."

    def __init__(self) -> None:
        super().__init__(1)


class GeneralLimit:
    """ASGI wrapper that counts every HTTP request by client address, answered or not: 404 and 405 count too. A
    handshake of a WebSocket counts as one. It also counts what an address has open at the moment, up to ``max_open``:
    slow bodies and readers, streams and sockets.

    It stands outside Litestar, because routing happens before Litestar's own middleware, and inside the layer that puts
    the true client into ``scope["client"]``. A request over the limit goes to ``on_refused``, which answers it with
    the problem for the given error; for a handshake it is raised. Every response, the refusal included, gets the
    RateLimit headers of all verdicts in ``scope["state"]`` at the time it starts, so inner limits only append theirs.
    """

    def __init__(
        self,
        app: ASGIApp,
        limiter: RateLimiter,
        limit: NamedLimit,
        max_open: int = 256,
        *,
        on_refused: Callable[[Scope, Send, RateLimited], Awaitable[None]],
    ) -> None:
        self._app = app
        self._limiter = limiter
        self._limit = limit
        self._on_refused = on_refused
        self._max_open = max_open
        self._open: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_counted = scope["type"] == ScopeType.HTTP or scope["type"] == ScopeType.WEBSOCKET
        if not is_counted or not self._limiter.enabled or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        fields = cast("dict[str, Any]", scope)  # the types promise a client and a state that servers may leave out
        client = fields.get("client")
        key = client_key(client[0] if client else None)
        verdict = await self._limiter.hit(self._limit, key)
        verdicts = [verdict]
        fields.setdefault("state", {})[VERDICTS] = verdicts
        refusal = None if verdict.allowed else verdict.refusal()
        if self._open.get(key, 0) >= self._max_open:
            refusal = TooManyOpen()
        is_socket = scope["type"] == ScopeType.WEBSOCKET

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *rate_limit_headers(verdicts)]
                message = cast("HTTPResponseStartEvent", {**message, "headers": headers})
            await send(message)

        if refusal is None:
            self._open[key] = self._open.get(key, 0) + 1
            try:
                await self._app(scope, receive, send if is_socket else send_with_headers)
            finally:
                if (left := self._open.pop(key) - 1) > 0:
                    self._open[key] = left
        elif is_socket:
            raise refusal
        else:
            await self._on_refused(scope, send_with_headers, refusal)
