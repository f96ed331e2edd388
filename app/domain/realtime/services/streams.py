from collections.abc import Mapping

from app.lib.errors import AppError, FieldCode, FieldError, NotFound, PermissionDenied, Unavailable, ValidationFailed
from app.lib.realtime.errors import FrameCode, InvalidChannel, RealtimeError
from app.lib.realtime.names import parse_channel
from app.lib.realtime.refusals import refusal_of
from app.lib.realtime.service import Realtime
from app.lib.realtime.stream import EventStream, parse_positions
from app.lib.security.principal import Principal


async def make_stream(realtime: Realtime, principal: Principal, channels: str, positions: str | None) -> EventStream:
    """A stream of channels (names with commas between them), each from its position.

    Raises ``ValidationFailed``, ``NotFound``, ``PermissionDenied`` or ``Unavailable``.
    """
    wanted = _parse(channels, positions, realtime.max_channels)
    try:
        await realtime.check(principal, wanted)
    except Exception as exc:
        raise _app_error(refusal_of(exc)) from exc
    return EventStream(principal, wanted)


def _parse(channels: str, positions: str | None, most: int) -> dict[str, int | None]:
    known: Mapping[str, int] = {}
    if positions is not None:
        try:
            known = parse_positions(positions)
        except (ValueError, InvalidChannel):
            raise _invalid("last_event_id", "Must be the id of an event of this stream.") from None
    names = list(dict.fromkeys(channels.split(",")))
    if len(names) > most:
        raise _invalid("channels", f"At most {most} channels.", FieldCode.TOO_LONG)
    try:
        for name in names:
            parse_channel(name)
    except InvalidChannel:
        raise _invalid("channels", "Must be names of channels with commas between them.") from None
    return {name: known.get(name) for name in names}


def _invalid(parameter: str, detail: str, code: FieldCode = FieldCode.INVALID_FORMAT) -> ValidationFailed:
    return ValidationFailed([FieldError(parameter=parameter, code=code, detail=detail)])


def _app_error(refusal: RealtimeError) -> AppError:
    match refusal.code:
        case FrameCode.NOT_FOUND | FrameCode.INVALID_CHANNEL:
            return NotFound(refusal.detail)
        case FrameCode.FORBIDDEN:
            return PermissionDenied(refusal.detail)
        case FrameCode.UNAVAILABLE:
            return Unavailable(refusal.detail)
        case _:
            return AppError()
