from typing import Any

from litestar import WebSocket, websocket
from litestar.params import FromPath

from app.domain.realtime.services.lobby import LobbySocket
from app.lib.errors import NotFound
from app.lib.injection import Injected
from app.lib.realtime.asgi import ASGITransport
from app.lib.realtime.connection import Connection
from app.lib.realtime.service import Realtime
from app.lib.realtime.tables import MAX_LABEL_LENGTH
from app.lib.security.policies import current_principal, ticketed


@websocket("/realtime", guards=[ticketed], name="realtime")
async def open_socket(socket: WebSocket[Any, Any, Any], realtime: Injected[Realtime]) -> None:
    """Frames of JSON; see the AsyncAPI document."""
    transport = ASGITransport(socket.receive, socket.send)
    await transport.accept()
    await realtime.serve(Connection(current_principal(socket)), transport)


@websocket("/ws/{client_id:str}", guards=[ticketed], name="lobby")
async def open_lobby(socket: WebSocket[Any, Any, Any], client_id: FromPath[str], realtime: Injected[Realtime]) -> None:
    """Plain text: everybody hears what anybody says."""
    if not client_id.isprintable() or len(client_id) > MAX_LABEL_LENGTH:
        raise NotFound
    transport = ASGITransport(socket.receive, socket.send)
    await transport.accept()
    await realtime.serve(LobbySocket(current_principal(socket), client_id, realtime.hub), transport)
