from collections.abc import Awaitable, Callable
from typing import Any

from litestar import WebSocket, websocket
from litestar.params import FromPath

from app.domain.realtime.errors import TooManyConnections
from app.domain.realtime.services.lobby import LobbySocket
from app.lib.errors import NotFound, Unavailable, UnknownParameter
from app.lib.http.injection import Injected
from app.lib.realtime.connection import Connection
from app.lib.realtime.errors import RealtimeUnavailable, TooManySockets
from app.lib.realtime.service import Realtime
from app.lib.realtime.sockets import Socket
from app.lib.realtime.tables import MAX_LABEL_LENGTH
from app.lib.realtime.transports import WebSocketTransport
from app.lib.security.policies import current_principal, ticketed


@websocket("/realtime", guards=[ticketed], name="realtime")
async def open_socket(socket: WebSocket[Any, Any, Any], realtime: Injected[Realtime]) -> None:
    """Frames of JSON; see the AsyncAPI document."""
    await _serve(socket, Connection(current_principal(socket)), realtime, accept=socket.accept)


@websocket("/ws/{client_id:str}", guards=[ticketed], name="lobby")
async def open_lobby(socket: WebSocket[Any, Any, Any], client_id: FromPath[str], realtime: Injected[Realtime]) -> None:
    """Plain text: everybody hears what anybody says."""
    if not client_id.isprintable() or len(client_id) > MAX_LABEL_LENGTH:
        raise NotFound
    await _serve(socket, LobbySocket(current_principal(socket), client_id, socket.accept), realtime)


async def _serve(
    socket: WebSocket[Any, Any, Any],
    ours: Socket,
    realtime: Realtime,
    *,
    accept: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Raises ``UnknownParameter``, ``TooManyConnections`` or ``Unavailable`` instead of accepting it."""
    if unknown := sorted(set(socket.query_params) - {"ticket"}):
        raise UnknownParameter(unknown)
    try:
        async with realtime.registered(ours):
            if accept is not None:
                await accept()
            await realtime.run(ours, WebSocketTransport(socket.receive, socket.send))
    except TooManySockets:
        raise TooManyConnections from None
    except RealtimeUnavailable as exc:
        raise Unavailable from exc
