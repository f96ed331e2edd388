"""What a request may bring to a route: media types, query parameters, an acceptable answer."""

from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send

from app.lib.errors import (
    FieldCode,
    FieldError,
    NotAcceptable,
    UnknownParameter,
    UnsupportedMediaType,
    ValidationFailed,
)

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
FORM = "application/x-www-form-urlencoded"

CONSUMES = "consumes"
"""Key in a handler's ``opt``: the media types of its body, where they are not the usual ones of its method."""
FORM_OR_JSON = {CONSUMES: (FORM, JSON)}
"""Spread into a handler's ``opt`` whose DTO is a ``FormDTO``."""
PRODUCES_ANYTHING = "produces_anything"
"""Key in a handler's ``opt``: it answers pages or files, so ``Accept`` is not held against JSON."""

_RULES = "request_rules"


class RequestRules(msgspec.Struct, frozen=True):
    """Worked out once per handler: ``query`` names what it knows, ``consumes`` what it reads (None: no body)."""

    query: frozenset[str]
    consumes: tuple[str, ...] | None
    json_only: bool


class RulesMiddleware(ASGIMiddleware):
    """Refuses with 400, 406, 415 or 422 what a handler would silently ignore or misread."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Raises the refusal; the exception handlers turn it into a problem."""
        rules = scope["route_handler"].opt.get(_RULES)
        if rules is not None:
            if scope["query_string"]:
                _check_query(scope["query_string"], rules)
            _check_headers(scope, rules)
        await next_app(scope, receive, send)


def declare_rules(app: Litestar) -> None:
    """Works out every handler's rules, once the routes are known."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler, model in route.route_handler_map.values():
            if handler.http_methods == {"OPTIONS"}:
                continue
            handler.opt[_RULES] = RequestRules(
                query=frozenset(parameter.field_alias for parameter in model.expected_query_params),
                consumes=_consumes(handler, has_body=model.expected_form_data or model.expected_msgpack_data),
                json_only=PRODUCES_ANYTHING not in handler.opt,
            )


def _consumes(handler: Any, *, has_body: Any) -> tuple[str, ...] | None:
    if (declared := handler.opt.get(CONSUMES)) is not None:
        return tuple(declared)
    if not has_body and handler.parsed_data_field is None:
        return None
    return (MERGE_PATCH, JSON) if "PATCH" in handler.http_methods else (JSON,)


def _check_query(raw: bytes, rules: RequestRules) -> None:
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=None)
    if unknown := list(dict.fromkeys(name for name, _ in pairs if name not in rules.query)):
        raise UnknownParameter(unknown)
    if bad := [name for name, value in pairs if "\0" in value or "\ufffd" in value]:
        detail = "Must be text in UTF-8 without NUL."
        raise ValidationFailed(
            [FieldError(parameter=name, code=FieldCode.INVALID_FORMAT, detail=detail) for name in dict.fromkeys(bad)]
        )


def _check_headers(scope: Any, rules: RequestRules) -> None:
    content_type: bytes = b""
    accept: bytes | None = None
    has_body = False
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"accept":
            accept = value if accept is None else accept + b"," + value
        elif name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            has_body = True
    if rules.json_only and accept is not None and not accepts_json(accept.decode("latin-1")):
        raise NotAcceptable
    if has_body and rules.consumes is not None:
        media_type = content_type.split(b";", 1)[0].strip().lower().decode("latin-1")
        if media_type not in rules.consumes:
            header = "Accept-Patch" if scope["method"] == "PATCH" else "Accept-Post"
            raise UnsupportedMediaType(headers={header: ", ".join(rules.consumes)})


def accepts_json(accept: str) -> bool:
    """Whether an ``Accept`` header admits JSON or problem details (RFC 9110 section 12.5.1)."""
    if not accept.strip():
        return True
    best: dict[str, float] = {}
    for part in accept.split(","):
        kind, _, parameters = part.strip().lower().partition(";")
        best[kind.strip()] = _quality(parameters)
    for kind in (JSON, "application/*", "*/*"):
        if kind in best:
            return best[kind] > 0
    return False


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 1.0
    return 1.0


def rules_of(handler: Any) -> RequestRules:
    """The rules of a handler, once :func:`declare_rules` has run."""
    rules: RequestRules = handler.opt[_RULES]
    return rules
