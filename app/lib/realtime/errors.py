"""What a client is told in an error frame. An error frame keeps the socket; only faults of the protocol close it."""

from enum import StrEnum
from typing import ClassVar


class FrameCode(StrEnum):
    """The closed list of codes in error frames. The code is the contract; the rest is prose."""

    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    INVALID_CHANNEL = "invalid_channel"
    INVALID_DATA = "invalid_data"
    NOT_SUBSCRIBED = "not_subscribed"
    TOO_MANY_CHANNELS = "too_many_channels"
    CLOSED = "closed"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - the name of a code, no secret
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    INTERNAL_ERROR = "internal_error"


class RealtimeError(Exception):
    """Becomes an error frame. ``retryable``: whether the same frame may well succeed a moment later."""

    code: ClassVar[FrameCode] = FrameCode.INTERNAL_ERROR
    detail: str = "Something went wrong on our side."
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str | None = None) -> None:
        if detail is not None:
            self.detail = detail
        super().__init__(self.detail)


class ChannelForbidden(RealtimeError):
    code = FrameCode.FORBIDDEN
    detail = "You may not do this on this channel."


class ChannelNotFound(RealtimeError):
    """Also for a channel that exists, to whoever may not know of it."""

    code = FrameCode.NOT_FOUND
    detail = "There is no such channel."


class InvalidChannel(RealtimeError):
    code = FrameCode.INVALID_CHANNEL
    detail = "This is no name of a channel."


class InvalidData(RealtimeError):
    """It is JSON, but not every reader's: it would be in the channel's history, and they would stumble over it again
    and again (RFC 8259, sections 4, 6, 8.2 and 9).
    """

    code = FrameCode.INVALID_DATA


class NotSubscribed(RealtimeError):
    code = FrameCode.NOT_SUBSCRIBED
    detail = "This socket is not subscribed to the channel."


class TooManyChannels(RealtimeError):
    code = FrameCode.TOO_MANY_CHANNELS
    detail = "This socket is subscribed to as many channels as it may be."


class ChannelClosed(RealtimeError):
    """Nothing more can be published; what was is still to be read."""

    code = FrameCode.CLOSED
    detail = "The channel is closed."


class TokenRefused(RealtimeError):
    code = FrameCode.INVALID_TOKEN
    detail = "The token is not valid, or it is somebody else's."


class RealtimeUnavailable(RealtimeError):
    """The database cannot be reached. Whether an event was stored may be unknown: repeat it with the same key."""

    code = FrameCode.UNAVAILABLE
    detail = "This is not possible at the moment."
    retryable = True


class TooManySockets(Exception):
    """The person has as many sockets as one may have, on all workers together."""
