"""Cross-origin resource sharing (the Fetch standard, section 3.2) for listed origins."""

from collections.abc import Sequence

from litestar.types import Scope

from app.lib.errors import ForeignOrigin
from app.lib.http.heads import Headers, headers_by_name

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_REQUEST_HEADERS = b"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-ID"
_EXPOSED = (
    b"ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    b"X-Process-Time, X-Request-ID"
)


class CORS:
    """Answers which headers a response needs. Credentials are bearer tokens, so cookies are never allowed."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = {origin.encode("ascii").lower() for origin in origins}
        self._any = b"*" in self._origins

    def headers(self, origin: bytes | None) -> Headers:
        """What every response carries: ``Vary`` always, the rest for a listed origin only."""
        if not self._origins:
            return []
        headers: Headers = [] if self._any else [(b"vary", b"Origin")]
        if origin is not None and self.lists(origin):
            headers.append((b"access-control-allow-origin", b"*" if self._any else origin))
            headers.append((b"access-control-expose-headers", _EXPOSED))
        return headers

    def preflight(self, origin: bytes | None, requested_method: bytes | None) -> Headers | None:
        """The extra headers of a granted preflight, or None when this is none or is not granted."""
        if origin is None or requested_method is None or not self.lists(origin):
            return None
        return [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _REQUEST_HEADERS),
            (b"access-control-max-age", b"600"),
        ]

    def lists(self, origin: bytes) -> bool:
        """Whether it is one of the origins."""
        return self._any or origin.lower() in self._origins


class Origins:
    """Whose pages may open sockets, and streams that take tickets; browsers do not ask (RFC 6455 section 10.2)."""

    def __init__(self, cors: CORS, own_origin: str) -> None:
        self._cors = cors
        self._own_origin = own_origin.lower().encode()

    def check(self, scope: Scope) -> None:
        """Raises ``ForeignOrigin``. Clients that are no browsers send none, and may open them."""
        headers = headers_by_name(scope["headers"])
        origin = headers.get(b"origin")
        if origin is None or self._cors.lists(origin):
            return
        host = headers.get(b"host", b"").lower()
        if origin.lower() not in {self._own_origin, b"http://" + host, b"https://" + host}:
            raise ForeignOrigin
