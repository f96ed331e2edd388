from contextlib import AsyncExitStack
from typing import Annotated

from litestar import get
from litestar.params import HeaderParameter, QueryParameter

from app.domain.realtime.errors import TooManyConnections
from app.domain.realtime.services.streams import open_stream
from app.lib.errors import NotFound, PermissionDenied
from app.lib.http.rules import PRODUCES_ANYTHING
from app.lib.injection import Injected
from app.lib.openapi import may_raise
from app.lib.realtime.service import Realtime
from app.lib.realtime.sse import EventStreamResponse
from app.lib.security.policies import ticketed
from app.lib.security.principal import Principal

_CHANNEL = r"[a-z]{1,32}(?::[A-Za-z0-9_.-]{1,64})?"
_POSITION = rf"{_CHANNEL}=[0-9]{{1,16}}"

Channels = Annotated[
    str,
    QueryParameter(
        max_length=9_800,
        pattern=rf"^{_CHANNEL}(?:,{_CHANNEL}){{0,99}}$",
        description="Up to 100 channels with commas between them, such as `posts,room:harbour`.",
    ),
]
Positions = Annotated[
    str | None,
    QueryParameter(
        max_length=11_500,
        pattern=rf"^{_POSITION}(?:,{_POSITION}){{0,99}}$",
        description="The id of the last event seen, for clients that cannot send `Last-Event-ID`.",
    ),
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        max_length=11_500,
        pattern=rf"^{_POSITION}(?:,{_POSITION}){{0,99}}$",
        description="The id of the last event seen; what was missed since comes first.",
        required=False,
    ),
]
Ticket = Annotated[
    str | None,
    QueryParameter(max_length=64, pattern="^[0-9A-Za-z]*$", description="A ticket, in place of `Authorization`."),
]


@get(
    "/realtime/events",
    guards=[ticketed],
    opt={PRODUCES_ANYTHING: True} | may_raise(PermissionDenied, NotFound, TooManyConnections),
    media_type="text/event-stream",
    tags=["Realtime"],
    operation_id="streamEvents",
    summary="Listen to channels as Server-Sent Events",
    description=(
        "Each event's data is a frame as on the WebSocket, and its id is the position in all channels. "
        "It ends when the session does, or the server restarts."
    ),
)
async def stream_events(
    realtime: Injected[Realtime],
    principal: Injected[Principal],
    channels: Channels,
    ticket: Ticket = None,
    last_event_id: Positions = None,
    last_event_id_header: LastEventId = None,
) -> EventStreamResponse:
    stack = AsyncExitStack()
    try:
        stream = await open_stream(realtime, principal, channels, last_event_id_header or last_event_id, stack)
    except BaseException:
        await stack.aclose()
        raise
    return EventStreamResponse(stream, stack)
