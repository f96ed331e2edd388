from collections.abc import Mapping
from contextlib import AsyncExitStack

from app.domain.realtime.errors import TooManyConnections
from app.lib.errors import AppError, FieldCode, FieldError, NotFound, PermissionDenied, Unavailable, ValidationFailed
from app.lib.realtime.errors import FrameCode, RealtimeError, TooManySockets
from app.lib.realtime.names import parse_channel
from app.lib.realtime.service import Realtime
from app.lib.realtime.sockets import MAX_CHANNELS
from app.lib.realtime.stream import Stream, parse_positions
from app.lib.security.principal import Principal


async def open_stream(
    realtime: Realtime, principal: Principal, channels: str, positions: str | None, stack: AsyncExitStack
) -> Stream:
    """A stream of channels (names with commas between them), each from its position; ``stack`` ends it.

    Raises ``ValidationFailed``, ``NotFound``, ``PermissionDenied``, ``TooManyConnections`` or ``Unavailable``.
    """
    wanted = _parse(channels, positions)
    stream = Stream(principal)
    try:
        await stack.enter_async_context(realtime.sockets.opened(stream))
        await realtime.subscribe(stream, wanted)
    except TooManySockets:
        raise TooManyConnections from None
    except RealtimeError as exc:
        raise _refusal(exc) from exc
    return stream


def _parse(channels: str, positions: str | None) -> dict[str, int | None]:
    known: Mapping[str, int] = {}
    if positions is not None:
        try:
            known = parse_positions(positions)
        except ValueError:
            raise _invalid("last_event_id", "Must be the id of an event of this stream.") from None
    names = list(dict.fromkeys(channels.split(",")))
    if len(names) > MAX_CHANNELS:
        raise _invalid("channels", f"At most {MAX_CHANNELS} channels.", FieldCode.TOO_LONG)
    try:
        for name in names:
            parse_channel(name)
    except RealtimeError:
        raise _invalid("channels", "Must be names of channels with commas between them.") from None
    return {name: known.get(name) for name in names}


def _invalid(parameter: str, detail: str, code: FieldCode = FieldCode.INVALID_FORMAT) -> ValidationFailed:
    return ValidationFailed([FieldError(parameter=parameter, code=code, detail=detail)])


def _refusal(error: RealtimeError) -> AppError:
    match error.code:
        case FrameCode.NOT_FOUND | FrameCode.INVALID_CHANNEL:
            return NotFound(error.detail)
        case FrameCode.FORBIDDEN:
            return PermissionDenied(error.detail)
        case _:
            return Unavailable(error.detail)
