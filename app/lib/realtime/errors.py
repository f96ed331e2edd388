"""Errors of channels and what a client gets of them. An error frame keeps the socket; only a bad frame closes it."""

from enum import StrEnum
from typing import ClassVar

import structlog

from app.lib.db.faults import is_passing
from app.lib.errors import AppError, RateLimited

log = structlog.stdlib.get_logger(__name__)

_NOT_FOUND = 404
_RETRY_AFTER = 2


class FrameCode(StrEnum):
    """The closed list of codes in error frames. The code is the contract; the rest is prose."""

    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    INVALID_CHANNEL = "invalid_channel"
    INVALID_DATA = "invalid_data"
    TOO_LARGE = "too_large"
    NOT_SUBSCRIBED = "not_subscribed"
    TOO_MANY_CHANNELS = "too_many_channels"
    CLOSED = "closed"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - the name of a code, no secret
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    INTERNAL_ERROR = "internal_error"


class RealtimeError(Exception):
    """Becomes an error frame. ``retryable``: whether the same frame may succeed a moment later. Those that are raised
    in one place only have no class of their own.
    """

    code: FrameCode = FrameCode.INTERNAL_ERROR
    detail: str = "Something went wrong on the server."
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str | None = None, code: FrameCode | None = None) -> None:
        self.detail = detail or self.detail
        self.code = code or self.code
        super().__init__(self.detail)


class ChannelForbidden(RealtimeError):
    code = FrameCode.FORBIDDEN
    detail = "You may not do this on this channel."


class ChannelNotFound(RealtimeError):
    """Also for a channel that exists, where the person must not learn that it does."""

    code = FrameCode.NOT_FOUND
    detail = "There is no such channel."


class InvalidChannel(RealtimeError):
    code = FrameCode.INVALID_CHANNEL
    detail = "This is not the name of a channel."


class InvalidData(RealtimeError):
    """JSON that some readers cannot read. It would stay in the channel's history and fail there again and again
    (RFC 8259, sections 4, 6, 8.2 and 9).
    """

    code = FrameCode.INVALID_DATA


class QuotaReached(RealtimeError):
    """The same event may be published when older ones are more than a day old."""

    code = FrameCode.RATE_LIMITED

    def __init__(self, most: int) -> None:
        super().__init__(f"You have published {most} events within a day, the maximum. Try again later.")


class ChannelClosed(RealtimeError):
    """Nothing more can be published; the history can still be read."""

    code = FrameCode.CLOSED
    detail = "The channel is closed."


class TokenRefused(RealtimeError):
    code = FrameCode.INVALID_TOKEN
    detail = "The token is not valid, or it belongs to another user."


class RealtimeUnavailable(RealtimeError):
    """The database cannot be reached. Whether an event was stored may be unknown: repeat it with the same key."""

    code = FrameCode.UNAVAILABLE
    detail = "This is not possible at the moment."
    retryable = True


class TooManyConnections(RateLimited):
    """Sockets and streams of one person, on all workers together. Refuses the handshake."""

    detail = "You have the maximum number of open sockets and streams. Close one first."

    def __init__(self) -> None:
        super().__init__(_RETRY_AFTER)


def as_realtime_error(exc: Exception) -> RealtimeError | None:
    """What a client gets when the database fails; None for a bug."""
    if isinstance(exc, RealtimeError):
        return exc
    return RealtimeUnavailable() if is_passing(exc) else None


def refusal_of(exc: Exception) -> RealtimeError:
    """Any exception as the error that a client gets. A bug is logged and becomes ``internal_error``."""
    if (known := as_realtime_error(exc)) is not None:
        return known
    if isinstance(exc, AppError):
        return ChannelNotFound() if exc.status == _NOT_FOUND else ChannelForbidden(exc.detail)
    log.error("realtime.frame_failed", error=type(exc).__name__, exc_info=exc)
    return RealtimeError()
