"""What a request may bring to a route: media types, query parameters, ids, an acceptable answer."""

import re
import sys
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Litestar, Request
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send
from litestar.utils.path import normalize_path

from app.lib.errors import NotAcceptable, NotFound, UnsupportedMediaType
from app.lib.http.problems import QUERY_ERRORS
from app.lib.http.query import PASSED_ON, QueryRules, query_rules
from app.lib.security.policies import POLICY, public
from app.lib.wire.decoding import decode_json

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
FORM = "application/x-www-form-urlencoded"

CONSUMES = "consumes"
"""Key in a handler's ``opt``: the media types of its body, where they are not the usual ones of its method. The OpenAPI
document describes the first, because generators of clients fail at several, and names the others.
"""
FORM_OR_JSON = {CONSUMES: (FORM, JSON)}
"""Spread into a handler's ``opt`` whose DTO is a ``FormDTO``."""
PRODUCES_ANYTHING = "produces_anything"
"""Key in a handler's ``opt``: it answers pages or files, so ``Accept`` is not held against JSON."""
HTML_PAGE: dict[str, Any] = {
    "guards": [public],
    "opt": {PRODUCES_ANYTHING: True, **PASSED_ON},
    "media_type": "text/html",
}
"""The arguments of the decorator of a handler that answers a page to anyone."""
MAX_BODY = "max_body"
"""Key in a handler's ``opt``: the most bytes of its body, where that is more than :data:`SMALL_BODY`."""
SMALL_BODY = 16_000
TEXT_BODY = {MAX_BODY: 64_000}
"""Spread into a handler's ``opt`` whose body has longer texts or lists."""
METADATA_BODY = {MAX_BODY: 400_000}
"""Spread into a handler's ``opt`` whose body has metadata: 50 keys and values, each character as two escapes."""
PRODUCES = "produces"
"""Key in a handler's ``opt``: the media type of its answers, where that is not JSON; ``Accept`` has to admit it."""

_CHARSET = re.compile(r'\s*charset\s*=\s*"?utf-?8"?\s*', re.IGNORECASE)
_ANY_CHARSET = re.compile(r"\s*charset\b", re.IGNORECASE)
_QUALITY = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)

_HEADLESS = "headless_paths"
BY_HEAD = "by_head"
"""Key in ``scope["state"]`` of a request by HEAD, which is routed as GET: for what must not be done without a reader.
"""
"""Where ``app.state`` holds the paths whose GET takes a ticket: HEAD would use it up and show nothing."""
_RULES = "request_rules"
_ALLOW = "allow"
_NO_CONTENT = 204
_ACTING = frozenset({"POST", "PUT", "PATCH"})


class RequestRules(msgspec.Struct, frozen=True):
    """Worked out once per handler. ``consumes`` is what it reads, None where it reads no body; ``produces`` is what
    it answers, None where it answers anything.

    ``refuses_members``: a body has no meaning here, but one with members means something to the client.
    """

    query: QueryRules
    consumes: tuple[str, ...] | None
    produces: str | None
    refuses_members: bool = False


class NoMembers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be sent to an action without a body: nothing, or ``{}``, as some clients do."""


class RulesMiddleware:
    """Refuses with 400, 404, 406, 415 or 422 what a handler would silently ignore or misread; answers OPTIONS."""

    def __call__(self, app: ASGIApp) -> ASGIApp:
        return partial(self._handle, app)

    async def _handle(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises the refusal; the exception handlers turn it into a problem."""
        opt = scope["route_handler"].opt
        rules: RequestRules | None = opt.get(_RULES)
        if rules is not None:
            # Ids have one spelling; Python's UUID reads braces, "urn:uuid:" and missing hyphens as well.
            values: Iterable[object] = scope["path_params"].values()
            for value in values:
                if isinstance(value, UUID) and f"/{value}/" not in f"{scope['path']}/":
                    raise NotFound
            if scope["query_string"]:
                scope["state"][QUERY_ERRORS] = partial(rules.query.errors, scope["query_string"])
                rules.query.check(scope["query_string"])
            receive = await _check_headers(scope, receive, rules)
            if rules.refuses_members:
                await _refuse_members(scope, receive)
        elif _ALLOW in opt:
            headers = [(b"allow", opt[_ALLOW])]
            await send({"type": "http.response.start", "status": _NO_CONTENT, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await app(scope, receive, send)


def declare_rules(app: Litestar) -> None:
    """Works out every handler's rules, once the routes are known.

    What the application says about the size of bodies holds for all routes, however much one of them takes.
    """
    app.state[_HEADLESS] = frozenset(
        route.path
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if getattr(handler.opt.get(POLICY), "takes_ticket", False)
    )
    most = app.request_max_body_size if isinstance(app.request_max_body_size, int) else sys.maxsize
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for method, (handler, model) in route.route_handler_map.items():
            if method == "OPTIONS":
                # Litestar's own answer misses methods where several handlers share a path.
                head = route.path not in app.state[_HEADLESS]
                handler.opt[_ALLOW] = complete_allow(", ".join(route.methods).encode(), has_head=head)
                continue
            reads_body = (
                model.expected_form_data or model.expected_msgpack_data or handler.parsed_data_field is not None
            )
            handler.request_max_body_size = min(most, handler.opt.get(MAX_BODY, SMALL_BODY))
            usual = (JSON, MERGE_PATCH) if method == "PATCH" else (JSON,)
            consumes: Any = handler.opt.get(CONSUMES, usual if reads_body else None)
            handler.opt[_RULES] = RequestRules(
                query=query_rules(handler, model.expected_query_params),
                consumes=None if consumes is None else tuple(consumes),
                produces=None if PRODUCES_ANYTHING in handler.opt else handler.opt.get(PRODUCES, JSON),
                refuses_members=consumes is None and method in _ACTING,
            )


def rules_of(handler: Any) -> RequestRules:
    """The rules of a handler, once :func:`declare_rules` has run."""
    rules: RequestRules = handler.opt[_RULES]
    return rules


def has_head(scope: Any) -> bool:
    """Whether a path with GET answers HEAD, too. For use before anything is routed."""
    app: Litestar | None = scope.get("litestar_app")
    return app is None or normalize_path(scope["path"]) not in app.state.get(_HEADLESS, ())


def allowed_methods(scope: Any) -> bytes | None:
    """What OPTIONS would say of the path, before anything is routed; None for a path that is not there."""
    app: Litestar = scope["litestar_app"]
    try:
        handler = app.asgi_router.handle_routing(path=normalize_path(scope["path"]), method="OPTIONS")[1]
    except MethodNotAllowedException:  # a path with sockets alone
        return b"OPTIONS"
    except NotFoundException:
        return None
    allow: bytes | None = handler.opt.get(_ALLOW)
    return allow


def complete_allow(allow: bytes, *, has_head: bool) -> bytes:
    """An ``Allow`` header with what a route answers besides what it declares: OPTIONS, and HEAD where it has GET.

    Litestar lists routes of sockets as if they were a method.
    """
    methods = {part.strip() for part in allow.split(b",")} - {b"websocket"} | {b"OPTIONS"}
    if b"GET" in methods and has_head:
        methods.add(b"HEAD")
    return b", ".join(sorted(methods))


async def _check_headers(scope: Any, receive: Receive, rules: RequestRules) -> Receive:
    accept = _values(scope, b"accept")
    if rules.produces and accept and not accepts(b",".join(accept).decode("latin-1"), rules.produces):
        raise NotAcceptable
    if rules.consumes is not None:
        lengths = _values(scope, b"transfer-encoding", b"content-length")
        has_body = any(value != b"0" for value in lengths)
        if not lengths:
            has_body, receive = await _peek(receive)
        encoded = any(value.strip().lower() != b"identity" for value in _values(scope, b"content-encoding"))
        if has_body and (encoded or not names_media_type(_values(scope, b"content-type"), rules.consumes)):
            raise _unsupported(scope["method"], rules.consumes, encoded=encoded)
    return receive


def _values(scope: Any, *names: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name in names]


async def _refuse_members(scope: Any, receive: Receive) -> None:
    """Reads the body, which no handler reads. Raises ``UnsupportedMediaType`` and what decoding raises."""
    body = await Request[Any, Any, Any](scope, receive).body()
    if not body:
        return
    if not names_media_type(_values(scope, b"content-type"), (JSON,)):
        raise _unsupported(scope["method"], (JSON,), encoded=False)
    decode_json(body, NoMembers)


async def _peek(receive: Receive) -> tuple[bool, Receive]:
    """Whether there is a body, where no header says so (HTTP/2), and a ``receive`` that has not lost its start."""
    first: list[Any] = [await receive()]

    async def again() -> Any:
        return first.pop() if first else await receive()

    return bool(first[0].get("body") or first[0].get("more_body")), again


def _unsupported(method: str, consumes: Iterable[str], *, encoded: bool) -> UnsupportedMediaType:
    headers = {"Accept-Patch" if method == "PATCH" else "Accept-Post": ", ".join(consumes)}
    if encoded:  # RFC 9110 section 12.5.3: a response to a refused coding names the ones that are read
        headers["Accept-Encoding"] = "identity"
    return UnsupportedMediaType(headers=headers)


def names_media_type(content_types: Sequence[bytes], expected: Collection[str]) -> bool:
    """Whether a request's ``Content-Type`` lines are one line that names an expected type in UTF-8.

    Other parameters mean nothing for these types and are ignored.
    """
    if len(content_types) != 1:
        return False
    media_type, *parameters = content_types[0].decode("latin-1").split(";")
    if media_type.strip().lower() not in expected:
        return False
    return all(_CHARSET.fullmatch(each) for each in parameters if _ANY_CHARSET.match(each))


def accepts(accept: str, media_type: str) -> bool:
    """Whether an ``Accept`` header admits the media type."""
    return accept in {media_type, "*/*"} or quality(accept, media_type) > 0


def quality(accept: str, media_type: str) -> float:
    """The weight that an ``Accept`` header gives to a media type, 0 for one that it excludes: the most specific range
    that matches decides (RFC 9110 section 12.5.1).
    """
    if not accept.strip():
        return 1.0
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    qualities: dict[str, float] = {}
    for part in accept.split(","):
        media_range, *parameters = part.split(";")
        weights = (_QUALITY.fullmatch(each) for each in parameters)  # what is no weight counts as 1
        qualities[media_range.strip().lower()] = next((float(match[1]) for match in weights if match), 1.0)
    return next((qualities[each] for each in ranges if each in qualities), 0.0)
