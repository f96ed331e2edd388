"""Whatever a gate or the core raises, as the error that a client is told."""

import structlog

from app.lib.errors import AppError
from app.lib.realtime.batches import as_realtime_error
from app.lib.realtime.errors import ChannelForbidden, ChannelNotFound, RealtimeError

log = structlog.stdlib.get_logger(__name__)

_NOT_FOUND = 404


def refusal_of(exc: Exception) -> RealtimeError:
    """A bug of ours is logged, and is an ``internal_error`` to the client."""
    known = as_realtime_error(exc)
    if known is not None:
        return known
    if isinstance(exc, AppError):
        return ChannelNotFound() if exc.status == _NOT_FOUND else ChannelForbidden(exc.detail)
    log.error("realtime.frame_failed", error=type(exc).__name__, exc_info=exc)
    return RealtimeError()
