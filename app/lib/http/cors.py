"""Cross-origin resource sharing (the Fetch standard, section 3.2) for listed origins."""

from collections.abc import Sequence

from litestar.types import Scope

from app.lib.errors import ForeignOrigin
from app.lib.http.heads import Headers, headers_by_name

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_REQUEST_HEADERS = (
    "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "X-Request-ID",
    "traceparent", "tracestate", "baggage", "sentry-trace",  # what tracing in browsers adds to every request
)  # fmt: skip
_EXPOSED = (
    b"ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    b"X-Process-Time, X-Request-ID"
)


class CORS:
    """Which headers a response needs, and whose pages may open sockets. Origins are as browsers write them, or ``*``;
    ``own_origin`` is the service's own. Pages may send ``request_headers`` next to those that the service reads.

    Credentials are bearer tokens, so cookies are never allowed.
    """

    def __init__(self, origins: Sequence[str], own_origin: str = "", request_headers: Sequence[str] = ()) -> None:
        self._origins = {origin.encode() for origin in origins}
        self._any = b"*" in self._origins
        self._own_origin = own_origin.encode()
        self._request_headers = ", ".join((*_REQUEST_HEADERS, *request_headers)).encode()

    def headers(self, origin: bytes | None) -> Headers:
        """What every response carries: ``Vary`` always, the rest for a listed origin only."""
        if not self._origins:
            return []
        headers: Headers = [] if self._any else [(b"vary", b"Origin")]
        if origin is not None and self._lists(origin):
            headers.append((b"access-control-allow-origin", b"*" if self._any else origin))
            headers.append((b"access-control-expose-headers", _EXPOSED))
        return headers

    def preflight(self, origin: bytes | None, requested_method: bytes | None) -> Headers | None:
        """The extra headers of a granted preflight, or None when this is none or is not granted."""
        if origin is None or requested_method is None or not self._lists(origin):
            return None
        return [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", self._request_headers),
            (b"access-control-max-age", b"600"),
        ]

    def _lists(self, origin: bytes) -> bool:
        return self._any or origin.lower() in self._origins

    def check_opener(self, scope: Scope) -> None:
        """Whose page opens a socket, or a stream that takes tickets; browsers do not ask (RFC 6455 section 10.2).

        Raises ``ForeignOrigin``. Clients that are no browsers send no origin, and may open them.
        """
        headers = headers_by_name(scope["headers"])
        origin = headers.get(b"origin")
        if origin is None or self._lists(origin):
            return
        host = headers.get(b"host", b"").lower()
        if origin.lower() not in {self._own_origin, b"http://" + host, b"https://" + host}:
            raise ForeignOrigin
