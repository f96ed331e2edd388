"""The base of every error that a client is meant to see.

A business error is a small subclass next to its service; it takes domain arguments:

    class EmailTaken(Conflict):
        detail = "Another account uses this e-mail address."

Nothing here knows HTTP beyond the status number: :mod:`app.lib.http.problems` turns errors into responses.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta


class ErrorCode(msgspec.Struct, frozen=True):
    """The code of a problem: the contract of an error with its clients. Declared once, with the error that it is for.

    ``title`` is that of all its problems, ``advice`` for clients; ``members``: further ones, description, example.
    """

    value: str
    title: str
    advice: str
    members: tuple[tuple[str, str, str], ...] = ()

    @property
    def type(self) -> str:
        """The URI reference of the page about it."""
        return f"/problems/{self.value.replace('_', '-')}"


class FieldCode(StrEnum):
    """The closed list of codes that a single field error may carry."""

    REQUIRED = "required"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_TYPE = "invalid_type"
    INVALID_FORMAT = "invalid_format"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    INVALID_CHOICE = "invalid_choice"
    NOT_UNIQUE = "not_unique"
    NOT_FOUND = "not_found"
    READ_ONLY = "read_only"
    WEAK_PASSWORD = "weak_password"


class FieldError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong with a request. Exactly one of ``pointer``, ``parameter`` and ``header`` says where.

    ``pointer`` is an RFC 6901 JSON pointer into the body; ``""`` is the body itself.
    ``detail`` never repeats the rejected value.
    """

    code: FieldCode
    detail: Annotated[str, Meta(max_length=500)]
    pointer: Annotated[str, Meta(max_length=4096)] | None = None
    parameter: Annotated[str, Meta(max_length=64)] | None = None
    header: Annotated[str, Meta(max_length=64)] | None = None


def unknown_items(
    pointer: str, given: Iterable[str], known: Collection[str], code: FieldCode, detail: str
) -> list[FieldError]:
    """An error for each item of a list that is not known."""
    return [
        FieldError(pointer=f"{pointer}/{i}", code=code, detail=detail)
        for i, item in enumerate(given)
        if item not in known
    ]


class AppError(Exception):
    """An error with an HTTP status, a code and words for people.

    Class attributes are the error's kind; the constructor takes what differs from case to case:
    ``detail`` (a sentence), ``headers`` (extra response headers), ``errors`` (field errors) and
    ``extensions`` (further problem members, RFC 9457 section 3.2).
    """

    status: ClassVar[int] = 500
    code: ClassVar[ErrorCode] = ErrorCode(
        "internal_error", "Something went wrong on our side", "Try again; if it stays, report the 'request_id'."
    )
    detail: str = "Something went wrong on our side."
    is_denial: ClassVar[bool] = False
    """Whether a caller tried what they have no right to, which the audit log keeps."""
    audited: Mapping[str, Any] = {}
    """What it keeps of this one."""
    own_headers: ClassVar[Mapping[str, str]] = {}
    """Response headers that every error of the kind has."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[FieldError] = (),
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        if detail is not None:
            self.detail = detail
        self.headers: dict[str, str] = {**self.own_headers, **(headers or {})}
        self.errors = tuple(errors)
        self.extensions: dict[str, Any] = dict(extensions or {})
        super().__init__(self.detail)


class BadRequest(AppError):
    status = 400
    code = ErrorCode(
        "malformed_json",
        "The request could not be read",
        "Send valid JSON in UTF-8, well-formed headers and a well-formed query.",
    )
    detail = "The request could not be read."


class MalformedJSON(BadRequest):
    detail = "The request body is not valid JSON in UTF-8."


class UnknownParameter(BadRequest):
    code = ErrorCode(
        "unknown_parameter",
        "The query has an unknown parameter",
        "Remove the parameter that is named, or mend its spelling.",
    )

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            "The request has query parameters that this operation does not know.",
            errors=[
                FieldError(parameter=n[:64], code=FieldCode.UNKNOWN_FIELD, detail="Unknown parameter.")
                for n in names[:50]
            ],
        )


class InvalidCursor(BadRequest):
    code = ErrorCode(
        "invalid_cursor",
        "The cursor is not valid",
        "Take cursors as they come, with the filters they came with; or start without one.",
    )
    detail = "The cursor is not valid for this list. Start again without one."


class Unauthenticated(AppError):
    """No credentials at all: RFC 6750 section 3 wants a bare challenge."""

    status = 401
    code = ErrorCode(
        "unauthenticated", "Sign-in required", "Send an access token in the 'Authorization' header: 'Bearer …'."
    )
    detail = "Sign in first: send an access token as 'Authorization: Bearer …'."
    own_headers: ClassVar = {"WWW-Authenticate": "Bearer"}


class InvalidToken(AppError):
    """Credentials that are malformed, expired, revoked or meant for something else (RFC 6750 section 3.1)."""

    status = 401
    code = ErrorCode(
        "invalid_token",
        "The token is not valid",
        "Refresh the access token, or sign in again when the refresh token is refused too.",
    )
    detail = "The token is not valid: it is malformed, expired, revoked or meant for something else."
    own_headers: ClassVar = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class PermissionDenied(AppError):
    """Visible but not allowed."""

    status = 403
    code = ErrorCode("permission_denied", "Not allowed", "Ask for a role that includes the permission.")
    detail = "You are not allowed to do this."
    own_headers: ClassVar = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    is_denial = True


class ForeignOrigin(AppError):
    """A page of another origin wants to open a socket or a stream."""

    status = 403
    code = PermissionDenied.code
    detail = "Pages of this origin may not connect here."


class ReauthRequired(PermissionDenied):
    code = ErrorCode(
        "reauth_required", "A recent sign-in is required", "Confirm your password, or sign in again, and repeat."
    )
    is_denial = False
    detail = (
        "This needs your password within the last 10 minutes. Confirm it, or sign in again, and repeat the request."
    )


class NotFound(AppError):
    status = 404
    code = ErrorCode("not_found", "Not found", "Check the address; you may also lack the right to see what is there.")
    detail = "There is nothing here, or it is not visible to you."


class NotVisible(NotFound):
    """To the client what ``NotFound`` is, whether or not there is something."""

    is_denial = True


class MethodNotAllowed(AppError):
    status = 405
    code = ErrorCode("method_not_allowed", "Method not allowed", "Use one of the methods in the 'Allow' header.")
    detail = "This resource does not know that method; 'Allow' lists the ones it knows."


class NotAcceptable(AppError):
    status = 406
    code = ErrorCode("not_acceptable", "Not acceptable", "Accept 'application/json', or send no 'Accept' header.")
    detail = "This operation answers 'application/json' only."


class RequestTimeout(AppError):
    """The body did not arrive in time (RFC 9110 section 15.5.9)."""

    status = 408
    code = ErrorCode(
        "request_timeout",
        "The request took too long to arrive",
        "Send the whole body at once; check the network in between.",
    )
    detail = "The request body did not arrive in time."
    own_headers: ClassVar = {"Connection": "close"}


class Conflict(AppError):
    status = 409
    code = ErrorCode("conflict", "Conflict with the current state", "Read the resource again, then decide.")
    detail = "The request conflicts with the current state."


class Duplicate(Conflict):
    """``member`` of a subclass is the member of the body that has to be unique."""

    code = ErrorCode("duplicate", "It exists already", "Choose another value for the unique field.")
    detail = "Something with the same unique value exists already."
    member: ClassVar[str | None] = None

    def __init__(self, *, errors: Sequence[FieldError] = ()) -> None:
        if self.member is not None:
            errors = [FieldError(pointer=f"/{self.member}", code=FieldCode.NOT_UNIQUE, detail="Is taken.")]
        super().__init__(errors=errors)


class InvalidState(Conflict):
    code = ErrorCode(
        "invalid_state", "Not possible in this state", "Read the resource; its state allows other actions."
    )
    detail = "The resource is not in a state that allows this."


class PreconditionFailed(AppError):
    status = 412
    code = ErrorCode(
        "precondition_failed",
        "The resource has changed",
        "Read it again, apply your change to the new version and send its ETag.",
    )
    detail = "The resource has changed since the version that 'If-Match' names."


class PayloadTooLarge(AppError):
    status = 413
    code = ErrorCode("payload_too_large", "The request is too large", "Send less: a smaller body or smaller headers.")
    detail = "The request body is larger than this service accepts."


class UnsupportedMediaType(AppError):
    status = 415
    code = ErrorCode(
        "unsupported_media_type",
        "Media type not supported",
        "Send 'Content-Type: application/json', or what 'Accept-Post' names.",
    )
    detail = "This operation does not read that media type."


class ValidationFailed(AppError):
    """One or more field errors; all that were found are reported, up to 50."""

    status = 422
    code = ErrorCode(
        "validation_failed",
        "Some fields are invalid",
        "Mend every entry of 'errors'; each says where it is and what is wrong.",
    )

    def __init__(self, errors: Sequence[FieldError]) -> None:
        count = len(errors)
        super().__init__(f"{count} error{'s' if count != 1 else ''} in the request.", errors=errors[:50])


class PreconditionRequired(AppError):
    status = 428
    code = ErrorCode(
        "precondition_required", "If-Match is required", "Read the resource and send its ETag as 'If-Match'."
    )
    detail = "This operation needs an 'If-Match' header with the version that you have seen."


class RateLimited(AppError):
    """Too many requests. ``retry_after`` is in whole seconds, at least 1."""

    status = 429
    code = ErrorCode("rate_limited", "Too many requests", "Wait for 'Retry-After' seconds, then go on more slowly.")
    detail = "Too many requests. Wait for as long as 'Retry-After' says."

    def __init__(self, retry_after: int, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(headers={**(headers or {}), "Retry-After": str(max(1, retry_after))})


class HeadersTooLarge(AppError):
    """RFC 6585 section 5."""

    status = 431
    code = PayloadTooLarge.code
    detail = "The request's header fields are larger than this service accepts."


class InternalError(AppError):
    """Last resort, for what is not foreseen. The response says nothing about it, the log says everything."""


class Unavailable(AppError):
    """A passing fault: the database, a lock, a full queue. The same request may succeed later."""

    status = 503
    code = ErrorCode("unavailable", "Temporarily unavailable", "Repeat the request after 'Retry-After' seconds.")
    detail = "The service cannot do this right now. Try again shortly."

    def __init__(self, detail: str | None = None, *, retry_after: int = 2) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})
