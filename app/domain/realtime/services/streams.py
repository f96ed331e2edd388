from collections.abc import Mapping

from app.lib.errors import AppError, FieldCode, FieldError, NotFound, PermissionDenied, Unavailable, ValidationFailed
from app.lib.realtime.errors import FrameCode, InvalidChannel, refusal_of
from app.lib.realtime.protocols import EventStream, parse_positions
from app.lib.realtime.service import Realtime
from app.lib.security.principal import Principal

_ERRORS: Mapping[FrameCode, type[AppError]] = {
    FrameCode.NOT_FOUND: NotFound,
    FrameCode.FORBIDDEN: PermissionDenied,
    FrameCode.UNAVAILABLE: Unavailable,
}


async def open_stream(realtime: Realtime, principal: Principal, channels: str, positions: str | None) -> EventStream:
    """A stream of channels (names with commas between them), each from its position.

    Raises ``ValidationFailed``, ``NotFound``, ``PermissionDenied`` or ``Unavailable``.
    """
    try:
        known = parse_positions(positions or "")
    except (ValueError, InvalidChannel):
        raise _invalid("last_event_id", "Must be the id of an event of this stream.") from None
    names = list(dict.fromkeys(channels.split(",")))
    if len(names) > realtime.options.max_channels:
        raise _invalid("channels", f"At most {realtime.options.max_channels} channels.", FieldCode.TOO_LONG)
    try:
        for name in names:
            await realtime.access.check_subscribe(principal, name)
    except InvalidChannel:
        raise _invalid("channels", "Must be names of channels with commas between them.") from None
    except Exception as exc:
        refusal = refusal_of(exc)
        raise _ERRORS[refusal.code](refusal.detail) if refusal.code in _ERRORS else AppError() from exc
    return EventStream(principal, realtime, {name: known.get(name) for name in names})


def _invalid(parameter: str, detail: str, code: FieldCode = FieldCode.INVALID_FORMAT) -> ValidationFailed:
    return ValidationFailed([FieldError(parameter=parameter, code=code, detail=detail)])
