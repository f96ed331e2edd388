"""Routes that will go: ``Deprecation`` (RFC 9745) and ``Sunset`` (RFC 8594)."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from litestar.types import Scope

from app.lib.http.heads import Headers

DEPRECATION = "deprecation"


def deprecated(since: datetime, sunset: datetime) -> dict[str, Any]:
    """Spread into a handler's ``opt``: since when it is deprecated, and when it goes. Every answer says so, and the
    document marks it. Raises ``ValueError`` for a route that would go before it is deprecated.
    """
    if sunset < since:
        raise ValueError("a route goes after it is deprecated")
    goes = format_datetime(sunset.astimezone(UTC), usegmt=True)
    return {DEPRECATION: ((b"deprecation", b"@%d" % since.timestamp()), (b"sunset", goes.encode()))}


def deprecation_headers(scope: Scope) -> Headers:
    """What an answer of the route says; nothing where it is not deprecated, or nothing was routed."""
    handler: Any = scope.get("route_handler")
    return [] if handler is None else list(handler.opt.get(DEPRECATION, ()))
