"""The base of every error that a client is meant to see.

A business error is a small subclass beside its service; it names its ``code`` and takes domain arguments:

    class EmailTaken(Conflict):
        code = ErrorCode.DUPLICATE
        detail = "Another account uses this e-mail address."

Nothing here knows HTTP beyond the status number: :mod:`app.lib.http.problems` turns errors into responses.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta


class ErrorCode(StrEnum):
    """The closed list of problem codes. The code is the contract; everything else in a problem is prose."""

    MALFORMED_JSON = "malformed_json"
    REQUEST_TIMEOUT = "request_timeout"
    UNKNOWN_PARAMETER = "unknown_parameter"
    INVALID_CURSOR = "invalid_cursor"
    UNAUTHENTICATED = "unauthenticated"
    INVALID_TOKEN = "invalid_token"
    INVALID_CREDENTIALS = "invalid_credentials"
    ACCOUNT_INACTIVE = "account_inactive"
    EMAIL_UNVERIFIED = "email_unverified"
    PERMISSION_DENIED = "permission_denied"
    MFA_REQUIRED = "mfa_required"
    REAUTH_REQUIRED = "reauth_required"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    CONFLICT = "conflict"
    DUPLICATE = "duplicate"
    INVALID_STATE = "invalid_state"
    INSUFFICIENT_STOCK = "insufficient_stock"
    PAYMENT_DECLINED = "payment_declined"
    PRECONDITION_FAILED = "precondition_failed"
    PRECONDITION_REQUIRED = "precondition_required"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    VALIDATION_FAILED = "validation_failed"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    IDEMPOTENCY_IN_PROGRESS = "idempotency_in_progress"
    RATE_LIMITED = "rate_limited"
    INTERNAL_ERROR = "internal_error"
    UNAVAILABLE = "unavailable"


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


class AppError(Exception):
    """An error with an HTTP status, a code and words for people.

    Class attributes are the error's kind; the constructor takes what differs from case to case:
    ``detail`` (a sentence), ``headers`` (extra response headers), ``errors`` (field errors) and
    ``extensions`` (further problem members, RFC 9457 section 3.2).
    """

    status: ClassVar[int] = 500
    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL_ERROR
    detail: str = "Something went wrong on our side."
    is_denial: ClassVar[bool] = False
    """Whether somebody tried what they have no right to, which the audit log keeps."""

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
        self.headers: dict[str, str] = dict(headers or {})
        self.errors = tuple(errors)
        self.extensions: dict[str, Any] = dict(extensions or {})
        super().__init__(self.detail)


class BadRequest(AppError):
    status = 400
    code = ErrorCode.MALFORMED_JSON
    detail = "The request could not be read."


class MalformedJSON(BadRequest):
    detail = "The request body is not valid JSON in UTF-8."


class UnknownParameter(BadRequest):
    code = ErrorCode.UNKNOWN_PARAMETER

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            "The request has query parameters that this operation does not know.",
            errors=[
                FieldError(parameter=n[:64], code=FieldCode.UNKNOWN_FIELD, detail="Unknown parameter.")
                for n in names[:50]
            ],
        )


class InvalidCursor(BadRequest):
    code = ErrorCode.INVALID_CURSOR
    detail = "The cursor is not valid for this list. Start again without one."


class Unauthenticated(AppError):
    """No credentials at all: RFC 6750 section 3 wants a bare challenge."""

    status = 401
    code = ErrorCode.UNAUTHENTICATED
    detail = "Sign in first: send an access token as 'Authorization: Bearer …'."

    def __init__(self, detail: str | None = None, *, extensions: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"}, extensions=extensions)


class InvalidToken(AppError):
    """Credentials that are malformed, expired, revoked or meant for something else (RFC 6750 section 3.1)."""

    status = 401
    code = ErrorCode.INVALID_TOKEN
    detail = "The token is not valid: it is malformed, expired, revoked or meant for something else."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


class PermissionDenied(AppError):
    """Visible but not allowed. ``permission`` is what the caller would need, where that can be said."""

    status = 403
    code = ErrorCode.PERMISSION_DENIED
    detail = "You are not allowed to do this."
    is_denial = True

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'})


class ForeignOrigin(AppError):
    """A page of somebody else's wants to open a socket or a stream."""

    status = 403
    code = ErrorCode.PERMISSION_DENIED
    detail = "Pages of this origin may not connect here."


class ReauthRequired(PermissionDenied):
    code = ErrorCode.REAUTH_REQUIRED
    is_denial = False
    detail = "This needs a sign-in within the last 10 minutes. Sign in again and repeat the request."


class NotFound(AppError):
    status = 404
    code = ErrorCode.NOT_FOUND
    detail = "There is nothing here, or it is not visible to you."


class NotVisible(NotFound):
    """To the client what ``NotFound`` is, whether or not there is something."""

    is_denial = True


class MethodNotAllowed(AppError):
    status = 405
    code = ErrorCode.METHOD_NOT_ALLOWED
    detail = "This resource does not know that method; 'Allow' lists the ones it knows."


class NotAcceptable(AppError):
    status = 406
    code = ErrorCode.NOT_ACCEPTABLE
    detail = "This operation answers 'application/json' only."


class RequestTimeout(AppError):
    """The body did not arrive in time (RFC 9110 section 15.5.9)."""

    status = 408
    code = ErrorCode.REQUEST_TIMEOUT
    detail = "The request body did not arrive in time."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"Connection": "close"})


class Conflict(AppError):
    status = 409
    code = ErrorCode.CONFLICT
    detail = "The request conflicts with the current state."


class Duplicate(Conflict):
    code = ErrorCode.DUPLICATE
    detail = "Something with the same unique value exists already."


class InvalidState(Conflict):
    code = ErrorCode.INVALID_STATE
    detail = "The resource is not in a state that allows this."


class PreconditionFailed(AppError):
    status = 412
    code = ErrorCode.PRECONDITION_FAILED
    detail = "The resource has changed since the version that 'If-Match' names."


class PayloadTooLarge(AppError):
    status = 413
    code = ErrorCode.PAYLOAD_TOO_LARGE
    detail = "The request body is larger than this service accepts."


class UnsupportedMediaType(AppError):
    status = 415
    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE
    detail = "This operation does not read that media type."


class ValidationFailed(AppError):
    """One or more field errors; all that were found are reported, up to 50."""

    status = 422
    code = ErrorCode.VALIDATION_FAILED

    def __init__(self, errors: Sequence[FieldError]) -> None:
        count = len(errors)
        super().__init__(f"{count} error{'s' if count != 1 else ''} in the request.", errors=errors[:50])


class PreconditionRequired(AppError):
    status = 428
    code = ErrorCode.PRECONDITION_REQUIRED
    detail = "This operation needs an 'If-Match' header with the version that you have seen."


class RateLimited(AppError):
    """Too many requests. ``retry_after`` is in whole seconds, at least 1."""

    status = 429
    code = ErrorCode.RATE_LIMITED
    detail = "Too many requests. Wait for as long as 'Retry-After' says."

    def __init__(self, retry_after: int, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(headers={**(headers or {}), "Retry-After": str(max(1, retry_after))})


class HeadersTooLarge(AppError):
    """RFC 6585 section 5."""

    status = 431
    code = ErrorCode.PAYLOAD_TOO_LARGE
    detail = "The request's header fields are larger than this service accepts."


class InternalError(AppError):
    """Last resort: something nobody foresaw. The words say nothing about it, the log says everything."""


class Unavailable(AppError):
    """A passing fault: the database, a lock, a full queue. The same request may succeed later."""

    status = 503
    code = ErrorCode.UNAVAILABLE
    detail = "The service cannot do this right now. Try again shortly."

    def __init__(self, detail: str | None = None, *, retry_after: int = 2) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})
