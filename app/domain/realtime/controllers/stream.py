from typing import Annotated, Any

from litestar import Litestar, Request, Response, get
from litestar.params import HeaderParameter, QueryParameter
from litestar.types import Receive, Scope, Send

from app.domain.realtime.errors import TooManyConnections
from app.domain.realtime.services.streams import make_stream
from app.lib.errors import NotFound, PermissionDenied, Unavailable
from app.lib.http.injection import Injected
from app.lib.http.rules import PRODUCES_ANYTHING
from app.lib.openapi.document import may_raise
from app.lib.realtime.errors import RealtimeUnavailable, TooManySockets
from app.lib.realtime.service import Realtime
from app.lib.realtime.stream import HEADERS, EventStream
from app.lib.realtime.transports import EventStreamTransport
from app.lib.security.policies import ticketed
from app.lib.security.principal import Principal

_CHANNEL = r"[a-z]{1,32}(?::[A-Za-z0-9_.-]{1,64})?"
_POSITION = rf"{_CHANNEL}=[0-9]{{1,16}}"
_POSITIONS = rf"^(?:{_POSITION}(?:,{_POSITION}){{0,99}})?$"

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
        pattern=_POSITIONS,
        description="The id of the last event seen, for clients that cannot send `Last-Event-ID`; empty for none.",
    ),
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        max_length=11_500,
        pattern=_POSITIONS,
        description="The id of the last event seen; what was missed since comes first.",
        required=False,
    ),
]
Ticket = Annotated[
    str | None,
    QueryParameter(max_length=64, pattern="^[0-9A-Za-z]*$", description="A ticket, in place of `Authorization`."),
]


class EventStreamResponse(Response[None]):
    """What comes on a stream, until it ends."""

    def __init__(self, stream: EventStream, realtime: Realtime) -> None:
        super().__init__(None)
        self._stream = stream
        self._realtime = realtime

    def to_asgi_response(self, app: Litestar | None, request: Request[Any, Any, Any], **_options: Any) -> Any:
        """The response has no end of its own, so it cannot be rendered."""
        return self._run

    async def _run(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ``TooManyConnections`` or ``Unavailable`` before it starts."""
        try:
            async with self._realtime.registered(self._stream):
                start: Any = {"type": "http.response.start", "status": 200, "headers": HEADERS}
                await send(start)
                await self._realtime.run(self._stream, EventStreamTransport(receive, send))
        except TooManySockets:
            raise TooManyConnections from None
        except RealtimeUnavailable as exc:
            raise Unavailable from exc


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
    stream = await make_stream(realtime, principal, channels, last_event_id_header or last_event_id or None)
    return EventStreamResponse(stream, realtime)
