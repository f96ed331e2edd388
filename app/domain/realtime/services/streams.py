from collections.abc import Mapping

from app.lib.errors import AppError, FieldCode, FieldError, NotFound, PermissionDenied, Unavailable, ValidationFailed
from app.lib.realtime.errors import FrameCode, refusal_of
from app.lib.realtime.protocols import EventStream, parse_positions
from app.lib.realtime.service import Realtime
from app.lib.security.principal import Principal

_ERRORS: Mapping[FrameCode, type[AppError]] = {
    FrameCode.INVALID_CHANNEL: NotFound,
    FrameCode.NOT_FOUND: NotFound,
    FrameCode.FORBIDDEN: PermissionDenied,
    FrameCode.UNAVAILABLE: Unavailable,
}


async def open_stream(realtime: Realtime, principal: Principal, channels: str, positions: str | None) -> EventStream:
    """A stream of channels (names with commas between them), each from its position. Both are well-formed.

    Raises ``ValidationFailed``, ``NotFound``, ``PermissionDenied`` or ``Unavailable``.
    """
    known = parse_positions(positions or "")
    names = list(dict.fromkeys(channels.split(",")))
    if len(names) > (most := realtime.options.max_channels):
        detail = f"At most {most} channels."
        raise ValidationFailed([FieldError(parameter="channels", code=FieldCode.TOO_LONG, detail=detail)])
    try:
        for name in names:
            await realtime.access.check_subscribe(principal, name)
    except Exception as exc:
        refusal = refusal_of(exc)
        raise _ERRORS.get(refusal.code, AppError)(refusal.detail) from exc
    return EventStream(principal, realtime, {name: known.get(name) for name in names})
