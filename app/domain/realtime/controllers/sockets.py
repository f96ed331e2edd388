"""WebSockets, the stream of Server-Sent Events, and tickets for both."""

from typing import Annotated, Any

from litestar import Litestar, Request, Response, WebSocket, get, post, websocket
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.types import Receive, Scope, Send

from app.domain.realtime.dtos import TicketRead
from app.domain.realtime.services import tickets
from app.domain.realtime.services.lobby import MAX_CLIENT_ID, LobbySocket
from app.domain.realtime.services.streams import open_stream
from app.lib.db.uow import UnitOfWork
from app.lib.errors import NotFound, PermissionDenied, UnknownParameter
from app.lib.http.injection import Injected
from app.lib.http.rules import PRODUCES_ANYTHING
from app.lib.openapi.document import may_raise
from app.lib.openapi.examples import shows
from app.lib.realtime.errors import TooManyConnections
from app.lib.realtime.protocols import Connection, EventStream, EventStreamTransport, WebSocketTransport
from app.lib.realtime.service import Realtime
from app.lib.realtime.sockets import Socket
from app.lib.security.policies import authenticated, current_principal, ticketed
from app.lib.security.principal import Principal
from app.lib.wire.dto import StructDTO
from app.lib.wire.struct_schema import example_id

_CHANNEL = r"[a-z]{1,32}(?::[A-Za-z0-9_.-]{1,64})?"
_POSITION = rf"{_CHANNEL}=[0-9]{{1,16}}"
_POSITIONS = rf"^(?:{_POSITION}(?:,{_POSITION})*)?$"

_MANY = "Up to 100 channels with commas between them, such as `posts,room:{id}`."
_SEEN = "The id of the last event seen, for clients that cannot send `Last-Event-ID`; empty for none."
_LAST = "The id of the last event seen; what was missed since comes first."
_TICKET = QueryParameter(max_length=64, pattern="^[0-9A-Za-z]*$", description="A ticket, in place of `Authorization`.")

Channels = Annotated[
    str,
    QueryParameter(
        max_length=9_800,
        pattern=rf"^{_CHANNEL}(?:,{_CHANNEL})*$",
        description=_MANY,
        schema_extra={"examples": ["posts"]},
    ),
]
Positions = Annotated[str | None, QueryParameter(max_length=11_500, pattern=_POSITIONS, description=_SEEN)]
LastEventId = Annotated[
    str | None,
    HeaderParameter(name="Last-Event-ID", max_length=11_500, pattern=_POSITIONS, description=_LAST, required=False),
]
Ticket = Annotated[str | None, _TICKET]


@websocket("/realtime", guards=[ticketed], name="realtime")
async def open_socket(socket: WebSocket[Any, Any, Any], realtime: Injected[Realtime]) -> None:
    """Frames of JSON; see the AsyncAPI document."""
    await _serve(socket, Connection(current_principal(socket), realtime), realtime)


@websocket("/ws/{client_id:str}", guards=[ticketed], name="lobby")
async def open_lobby(socket: WebSocket[Any, Any, Any], client_id: FromPath[str], realtime: Injected[Realtime]) -> None:
    """Plain text that all get."""
    if not client_id.isprintable() or len(client_id) > MAX_CLIENT_ID:
        raise NotFound
    await _serve(socket, LobbySocket(current_principal(socket), realtime, client_id), realtime)


async def _serve(socket: WebSocket[Any, Any, Any], ours: Socket, realtime: Realtime) -> None:
    """Raises ``UnknownParameter`` or ``TooManyConnections`` instead of accepting it."""
    if unknown := sorted(set(socket.query_params) - {"ticket"}):
        raise UnknownParameter(unknown)
    await realtime.serve(ours, WebSocketTransport(socket.receive, socket.send))


class EventStreamResponse(Response[None]):
    """The frames of a stream, until it ends."""

    def __init__(self, stream: EventStream, realtime: Realtime) -> None:
        super().__init__(None)
        self._stream = stream
        self._realtime = realtime

    def to_asgi_response(self, app: Litestar | None, request: Request[Any, Any, Any], **_options: Any) -> Any:
        """The response has no end of its own, so it cannot be rendered."""
        return self._run

    async def _run(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ``TooManyConnections`` before it starts."""
        await self._realtime.serve(self._stream, EventStreamTransport(receive, send))


_EVENT = (
    'id: posts=7\nevent: event\ndata: {"type":"event","channel":"posts","id":7,"event":"post.published",'
    f'"data":{{"post_id":"{example_id("post_id")}","author_id":"{example_id("user_id")}"}},'
    '"sent_at":"2026-01-31T12:00:00Z","sender_id":null}\n\n'
)


@get(
    "/realtime/events",
    guards=[ticketed],
    opt={PRODUCES_ANYTHING: True} | may_raise(PermissionDenied, NotFound, TooManyConnections) | shows(200, _EVENT),
    media_type="text/event-stream",
    tags=["Realtime"],
    summary="Listen to channels as Server-Sent Events",
    description=(
        "Each event's data is a frame as on the WebSocket, and its id is the position in all channels. "
        "It ends when the session does, or the server restarts. HEAD is 405: it would use a ticket up."
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
    stream = await open_stream(realtime, principal, channels, last_event_id_header or last_event_id)
    return EventStreamResponse(stream, realtime)


@post(
    "/realtime/tickets",
    guards=[authenticated],
    return_dto=StructDTO[TicketRead],
    tags=["Realtime"],
    summary="Create a ticket for a socket or event stream",
    description="For browsers, which cannot send `Authorization` there. It can be used once, within 30 seconds.",
)
async def create_realtime_ticket(unit: Injected[UnitOfWork], principal: Injected[Principal]) -> Response[TicketRead]:
    ticket = await tickets.create_ticket(principal, unit)
    headers = {"Location": "/api/v1/realtime", "Cache-Control": "no-store"}
    return Response(ticket, status_code=201, headers=headers)
