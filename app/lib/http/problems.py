"""Problem details (RFC 9457): the one way in which this service says no."""

import http
import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.types import Scope, Send
from msgspec import Meta

from app.lib import errors
from app.lib.db.faults import DatabaseUnavailable, to_app_error
from app.lib.db.idempotency import IdempotencyInProgress, IdempotencyKeyReused, IdempotentReplay
from app.lib.errors import AppError, FieldCode, FieldError, InternalError, MalformedJSON, ValidationFailed
from app.lib.http.base_path import base_path_of
from app.lib.observability.repeats import log_once
from app.lib.security.policies import MfaEnrollmentRequired, OwnSignInRequired, PasswordChangeRequired
from app.lib.wire.decoding import BODY_REQUIRED
from app.lib.wire.field_errors import MAX_ERRORS, Finding, explain_message, pointer_from_dotted

MEDIA_TYPE = "application/problem+json"
DENIAL = "denial"
"""Where ``scope["state"]`` holds an error that the audit log has to know of."""
FAILURE = "failure"
"""Where ``scope["state"]`` holds the exception behind an answer of 500 or more."""
QUERY_ERRORS = "query_errors"
"""Where ``scope["state"]`` may hold a function that finds every error in the request's query."""
MAX_DESCRIPTION = 500
MAX_INSTANCE = 512
"""Characters of the path that are repeated; escaped, each may take up to twelve."""

log = structlog.get_logger(__name__)


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every refusal. ``code`` is the contract; ``type`` resolves to a page about it."""

    type: Annotated[str, Meta(max_length=200)]
    title: Annotated[str, Meta(max_length=100)]
    status: Annotated[int, Meta(ge=400, le=599)]
    code: Annotated[str, Meta(max_length=64)]
    detail: Annotated[str, Meta(max_length=1000)]
    instance: Annotated[str, Meta(max_length=12 * MAX_INSTANCE)]
    request_id: Annotated[str, Meta(max_length=64)]
    errors: Annotated[list[FieldError], Meta(max_length=MAX_ERRORS)] = []
    # Like other members of certain errors these are in AppError.extensions; here they are documented.
    error: Annotated[str, Meta(max_length=40, description="As in RFC 6749, section 5.2, where tokens are given.")] = ""
    error_description: Annotated[str, Meta(max_length=MAX_DESCRIPTION, description="Comes with `error`.")] = ""


_UNREADABLE = (SerializationException, UnicodeDecodeError, RecursionError)
_OF_POLICIES = (OwnSignInRequired, PasswordChangeRequired, MfaEnrollmentRequired)
_KINDS = (*vars(errors).values(), *_OF_POLICIES, IdempotencyKeyReused, IdempotencyInProgress)
_KIT_ERRORS = [kind for kind in _KINDS if isinstance(kind, type) and issubclass(kind, AppError)]

KIT_ERROR_CODES = tuple(dict.fromkeys(kind.code for kind in _KIT_ERRORS))
"""The codes of the kit's own errors, in the order of their declaration."""
ERROR_OF_STATUS = {kind.status: kind for kind in reversed(_KIT_ERRORS)}
"""The first of the kit's errors with each status."""
_STATUSES_OF_LITESTAR = {400, 401, 403, 404, 405, 406, 413, 415, 503}


def instance_of(path: str) -> str:
    """The path as a URI reference; a client may have put anything into it."""
    return quote(path[:MAX_INSTANCE], safe="/:@!$&'()*+,;=-._~", errors="replace")


def head_and_body(scope: Scope, error: AppError) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the JSON of the problem to answer with."""
    base_path = base_path_of(scope)
    problem = Problem(
        type=base_path + error.code.type,
        title=error.code.title,
        status=error.status,
        code=error.code.value,
        detail=error.detail,
        instance=instance_of(base_path + scope["path"]),
        request_id=scope["state"].get("request_id", ""),
        errors=list(error.errors),
    )
    body = msgspec.json.encode(msgspec.to_builtins(problem) | error.extensions if error.extensions else problem)
    headers = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    headers += [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    return headers, body


async def send_problem(scope: Scope, send: Send, error: AppError) -> None:
    """Answers with an error outside Litestar, where there is no handler to raise it to. Leaves a denial where the
    shell finds it for the audit log.
    """
    if error.is_denial:
        scope["state"][DENIAL] = error
    headers, body = head_and_body(scope, error)
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def respond(request: Request[Any, Any, Any], error: AppError) -> Response[bytes]:
    """The response for an error. Leaves a denial where the shell finds it for the audit log."""
    if error.is_denial:
        request.scope["state"][DENIAL] = error
    _, body = head_and_body(request.scope, error)
    return Response(body, status_code=error.status, headers=error.headers, media_type=MEDIA_TYPE)


def _with_query_errors(scope: Scope, failed: ValidationFailed) -> ValidationFailed:
    """Parameters are checked in several places, one after another, and clients want to know everything at once."""
    query_errors: Callable[[], list[FieldError]] | None = scope["state"].get(QUERY_ERRORS)
    if query_errors is None:
        return failed
    in_query = query_errors()
    named = {each.parameter for each in in_query}
    others = [each for each in failed.errors if each.parameter is None or each.parameter not in named]
    return ValidationFailed([*in_query, *others])


_MISSING_PARAMETER = re.compile(r"Missing required (\w+) parameter '([^']*)'")


def litestar_errors(raised: ValidationException) -> list[FieldError]:
    """The field errors of what Litestar itself found wrong: query, path, header and cookie parameters, a missing body.

    Litestar reports all parameters that do not fit their types, but only the first one that is missing.
    """
    if missing := _MISSING_PARAMETER.match(raised.detail):
        return [_in_parameter(missing[2], missing[1], Finding(FieldCode.REQUIRED, "Is required."))]
    found: list[FieldError] = []
    for error in raised.extra if isinstance(raised.extra, list) else ():
        key, message, source = str(error.get("key", "")), str(error.get("message", "")), error.get("source", "query")
        finding = explain_message(message)
        if source != "body":
            found.append(_in_parameter(key, str(getattr(source, "value", source)), finding))
        elif key == "data" and message == "'data'":  # what is left of the KeyError when there is no body
            found.append(BODY_REQUIRED)
        else:
            pointer = ("" if key == "data" else pointer_from_dotted(f".{key}")) + finding.pointer
            found.append(FieldError(pointer=pointer, code=finding.code, detail=finding.detail))
    return found or [FieldError(pointer="", code=FieldCode.INVALID_FORMAT, detail="Is not valid.")]


def _in_parameter(name: str, source: str, finding: Finding) -> FieldError:
    if source == "header":
        return FieldError(header=name.replace("_", "-").title(), code=finding.code, detail=finding.detail)
    return FieldError(parameter=name, code=finding.code, detail=finding.detail)


def error_of(exc: Exception, scope: Scope) -> AppError:
    """The error to answer any exception with. What is a fault or a bug is logged, as the answer does not show it.

    The texts of Litestar's own refusals may quote the request, so they are replaced by ours.
    """
    if isinstance(exc, ValidationFailed | ValidationException):
        failed = exc if isinstance(exc, ValidationFailed) else ValidationFailed(litestar_errors(exc))
        return _with_query_errors(scope, failed)
    if isinstance(exc, _UNREADABLE):
        # What reads bodies answers these itself, so here they are a gap in that or a bug, and the log has to show it.
        log.warning("request.unreadable", exc_info=exc)
        return MalformedJSON()
    if isinstance(exc, HTTPException) and exc.status_code in _STATUSES_OF_LITESTAR:
        refusal = ERROR_OF_STATUS[exc.status_code]()
        refusal.headers.update(exc.headers or {})
        return refusal
    error = to_app_error(exc)
    if error is None or error.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        scope["state"][FAILURE] = exc
    if error is None:
        route = scope.get("path_template")
        log.error("request.failed", method=scope.get("method"), path=scope["path"], route=route, exc_info=exc)
        return InternalError()
    if error.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        reason = (str(exc).splitlines() or [""])[0][:200]
        is_database = isinstance(exc, DatabaseUnavailable) or not isinstance(exc, AppError)
        kind = "database.unavailable" if is_database else "service.unavailable"
        log_once(log.warning, kind, error=type(exc).__name__, reason=reason)
    return error


def _on_any(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    return respond(request, error_of(exc, request.scope))


def _on_replay(request: Request[Any, Any, Any], exc: IdempotentReplay) -> Response[bytes]:
    stored = exc.response
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in stored.headers}
    media_type = headers.pop("content-type", "application/json")
    headers["Idempotency-Replayed"] = "true"
    return Response(stored.body, status_code=stored.status, headers=headers, media_type=media_type)


def exception_handlers() -> dict[type[Exception] | int, Any]:
    """The one map from exceptions to problems; no integer keys, which would shadow the others."""
    return {IdempotentReplay: _on_replay, Exception: _on_any}
