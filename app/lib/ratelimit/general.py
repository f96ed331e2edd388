"""The limit on everything, for the outer shell."""

from litestar.types import Scope

from app.lib.errors import RateLimited
from app.lib.ratelimit.limiter import (
    REFUSALS,
    Limit,
    NamedLimit,
    RateLimiter,
    Verdict,
    WhenDown,
    client_key,
    rate_limit_headers,
)

VERDICTS = "rate_limits"
"""Where ``scope["state"]`` holds the list of the request's verdicts, the general one first."""

_OPEN = "open_for"

PROBES = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
"""Paths that monitors ask often and that must answer when the service is at its limits."""


class TooManyOpen(RateLimited):
    """An address has too many requests, streams and sockets at the same time."""

    detail = "Too many requests, streams and sockets of this address are open. Close some, or wait for their end."

    def __init__(self) -> None:
        super().__init__(1)


class GeneralLimit:
    """Counts every HTTP request by client address, answered or not: 404 and 405 count too. A handshake of a WebSocket
    counts as one. It also counts what an address has open at the moment, up to ``max_open``: slow bodies and readers,
    streams and sockets.

    It is asked outside Litestar, because routing happens before Litestar's own middleware, and once the true client is
    in ``scope["client"]``. Inner limits append their verdicts to the list in ``scope["state"]``.
    """

    def __init__(self, limiter: RateLimiter, limit: str, max_open: int = 256) -> None:
        """Raises ``ValueError`` for what is no limit, see ``Limit.parse``."""
        self._limiter = limiter
        self._limit = NamedLimit("default", Limit.parse(limit), WhenDown.ALLOW)
        self._max_open = max_open
        self._open: dict[str, int] = {}

    async def enter(self, scope: Scope) -> None:
        """Counts a request. Raises ``RateLimited`` beyond the limits."""
        if not self._limiter.enabled or scope["path"] in PROBES:
            return
        client = scope["client"]
        key = client_key(client[0] if client else None)
        verdict = await self._limiter.hit(self._limit, key)
        scope["state"][VERDICTS] = [verdict]
        if not verdict.allowed:
            raise verdict.refusal()
        count = self._open.get(key, 0)
        if count >= self._max_open:
            REFUSALS.add("open")
            raise TooManyOpen
        self._open[key] = count + 1
        scope["state"][_OPEN] = key

    def leave(self, scope: Scope) -> None:
        """Called at the end of a request or socket, also of one that was refused."""
        key: str | None = scope["state"].pop(_OPEN, None)
        if key is not None and (left := self._open.pop(key) - 1) > 0:
            self._open[key] = left

    def headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """The RateLimit headers of all verdicts until now, for every response, the refusal included."""
        verdicts: list[Verdict] | None = scope["state"].get(VERDICTS)
        return rate_limit_headers(verdicts) if verdicts else []
