"""The limit on everything, for the outer shell."""

from litestar.types import Scope

from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter, Verdict, WhenDown, client_key, rate_limit_headers

VERDICTS = "rate_limits"
"""Where ``scope["state"]`` holds the list of the request's verdicts, the general one first."""

PROBES = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
"""Paths that monitors ask often and that must answer when the service is at its limits."""


class GeneralLimit:
    """Counts every HTTP request by client address, answered or not: 404 and 405 count too. A handshake of a WebSocket
    counts as one.

    It is asked outside Litestar, because routing happens before Litestar's own middleware, and once the true client is
    in ``scope["client"]``. Inner limits append their verdicts to the list in ``scope["state"]``.
    """

    def __init__(self, limiter: RateLimiter, limit: Limit) -> None:
        self._limiter = limiter
        self._limit = NamedLimit("default", limit, WhenDown.ALLOW)

    async def count(self, scope: Scope) -> None:
        """Counts a request. Raises ``RateLimited`` beyond the limit."""
        if not self._limiter.enabled or scope["path"] in PROBES:
            return
        client = scope["client"]
        verdict = await self._limiter.hit(self._limit, client_key(client[0] if client else None))
        scope["state"][VERDICTS] = [verdict]
        if not verdict.allowed:
            raise verdict.refusal()

    def headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """The RateLimit headers of all verdicts until now, for every response, the refusal included."""
        verdicts: list[Verdict] | None = scope["state"].get(VERDICTS)
        return rate_limit_headers(verdicts) if verdicts else []
