"""Limits on single routes: ``guards=[public, rate_limit("auth")]``."""

from collections.abc import Mapping
from typing import cast

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers.base import BaseRouteHandler
from litestar.routes import HTTPRoute

from app.lib.ratelimit.general import VERDICTS
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter, Verdict, client_key, network_key

ROUTE_LIMITS = "route_limits"
"""The key of the application's :class:`RouteLimits` in ``app.state``."""

WIDER = 10
"""How many times as high the limit of a network is."""


class RouteLimits:
    """The limits that routes may name; the application holds one in ``app.state`` under :data:`ROUTE_LIMITS`.

    All routes with the same limit share one counter for each client, so that trying them in turn gains nothing. The
    network that a client is in has a wider limit, :data:`WIDER` times as high, so that changing the address gains
    little. What the limit refuses does not count for the wider one.
    """

    def __init__(self, limiter: RateLimiter, limits: Mapping[str, Limit]) -> None:
        self.limiter = limiter
        self.limits = {
            name: (NamedLimit(name, limit), NamedLimit(f"{name}.network", limit.times(WIDER)))
            for name, limit in limits.items()
        }

    async def hit(self, name: str, address: str | None) -> list[Verdict]:
        """Counts against both. The last verdict is the one that matters."""
        keys = (client_key(address), network_key(address))
        return await self.limiter.hit_all(
            [(limit, key) for limit, key in zip(self.limits[name], keys, strict=True) if key]
        )


class rate_limit:  # noqa: N801 - reads like the other guards
    """A guard that counts by client address against the limit of that name and raises ``RateLimited`` beyond it.

    It costs nothing but a count, so name it before guards that ask the database.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(
        self, connection: "ASGIConnection[BaseRouteHandler, object, object, State]", _: BaseRouteHandler
    ) -> None:
        shared = cast("RouteLimits", connection.app.state[ROUTE_LIMITS])
        if not shared.limiter.enabled:
            return
        address = connection.client.host if connection.client else None
        verdicts = await shared.hit(self.name, address)
        shown = verdicts[:1] if verdicts[-1].allowed else verdicts
        connection.scope["state"].setdefault(VERDICTS, []).extend(shown)
        if not verdicts[-1].allowed:
            raise verdicts[-1].refusal()


def undefined_limits(app: Litestar) -> frozenset[str]:
    """The names that routes give to ``rate_limit`` and that the application's :class:`RouteLimits` lacks."""
    used: set[str] = set()
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]:
            guards = cast("list[object]", handler.resolve_guards())  # pyright: ignore[reportUnknownMemberType]  # generic
            used.update(guard.name for guard in guards if isinstance(guard, rate_limit))
    limits = cast("RouteLimits | None", app.state.get(ROUTE_LIMITS))
    return frozenset(used) - (limits.limits.keys() if limits else set())
