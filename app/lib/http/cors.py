"""Cross-origin resource sharing (the Fetch standard, section 3.2) for listed origins."""

import re
from collections.abc import Mapping, Sequence

import structlog
from litestar.types import Scope

from app.lib.errors import ForeignOrigin
from app.lib.http.heads import Headers, headers_by_name
from app.lib.http.rules import allowed_methods

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_REQUEST_HEADERS = (
    "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "X-Request-ID",
    "traceparent", "tracestate", "baggage", "sentry-trace",  # what tracing in browsers adds to every request
)  # fmt: skip
_SAFELISTED = {b"accept", b"accept-language", b"content-language", b"range"}
_EXPOSED = (
    b"Accept-Patch, Accept-Post, Allow, Content-Disposition, Deprecation, ETag, Idempotency-Replayed, Link, Location, "
    b"RateLimit, RateLimit-Policy, Retry-After, Sunset, WWW-Authenticate, X-Process-Time, X-Request-ID"
)
_LOCAL = re.compile(rb"https?://(?:localhost|[a-z0-9-]+\.localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")
"""What pages under development are loaded from, as browsers write it."""

_MOST_HINTS = 100
"""Of a process: whose page is refused is said once, and no one fills the log with origins."""

log = structlog.get_logger(__name__)


class CORS:
    """Which headers a response needs, and whose pages may open sockets. Origins are as browsers write them, or ``*``;
    ``own_origin`` is the service's own. Pages may send ``request_headers`` next to those that the service reads. With
    ``takes_local`` those of this machine are listed, too.

    Credentials are bearer tokens, so cookies are never allowed.
    """

    def __init__(
        self,
        origins: Sequence[str],
        own_origin: str = "",
        request_headers: Sequence[str] = (),
        *,
        takes_local: bool = False,
    ) -> None:
        self._origins = {origin.encode() for origin in origins}
        self._any = b"*" in self._origins
        self._takes_local = takes_local
        self._own_origin = own_origin.encode()
        self._request_headers = ", ".join((*_REQUEST_HEADERS, *request_headers)).encode()
        self._listed_headers = {*self._request_headers.lower().split(b", "), *_SAFELISTED, b""}
        self._hints: set[tuple[str, ...]] = set()

    def headers(self, origin: bytes | None) -> Headers:
        """What every response carries: ``Vary`` always, the rest for a listed origin only."""
        if not self._origins and not self._takes_local:
            return []
        headers: Headers = [] if self._any else [(b"vary", b"Origin")]
        if origin is not None and self._lists(origin):
            headers.append((b"access-control-allow-origin", b"*" if self._any else origin))
            headers.append((b"access-control-expose-headers", _EXPOSED))
        return headers

    def preflight(self, scope: Scope, request: Mapping[bytes, bytes]) -> Headers | None:
        """The extra headers of a granted preflight, or None when this is none or is not granted, which is logged."""
        origin = request.get(b"origin")
        if origin is None or b"access-control-request-method" not in request:
            return None
        if not self._lists(origin):
            self._hint("The origin is not in CORS_ORIGINS.", origin=origin)
            return None
        for name in request.get(b"access-control-request-headers", b"").lower().split(b","):
            if name.strip() not in self._listed_headers:
                self._hint("The header is not in CORS_HEADERS.", origin=origin, header=name.strip())
        allow = allowed_methods(scope)
        return [
            *([(b"allow", allow)] if allow else []),
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", self._request_headers),
            (b"access-control-max-age", b"600"),
        ]

    def _hint(self, error: str, **members: bytes) -> None:
        shown = {name: value[:200].decode("latin-1") for name, value in members.items()}
        hint = (error, *shown.values())
        if hint not in self._hints and len(self._hints) < _MOST_HINTS:
            self._hints.add(hint)
            log.warning("cors.refused", error=error, **shown)

    def _lists(self, origin: bytes) -> bool:
        origin = origin.lower()
        return self._any or origin in self._origins or (self._takes_local and _LOCAL.fullmatch(origin) is not None)

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
            self._hint("The origin is not in CORS_ORIGINS.", origin=origin)
            raise ForeignOrigin
