"""What ``benchmarks.realtime`` measures: sockets on granian without anything else around them.

``python -m benchmarks.realtime_server PORT WORKERS``; the database and the fan-out come from the environment.
"""

import os
import sys
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID, uuid4

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from app.lib.observability.logging import configure_logging
from app.lib.realtime.connection import Connection
from app.lib.realtime.fanout import Fanout, MemoryFanout, PostgreSQLFanout, RedisFanout, SilentFanout
from app.lib.realtime.frames import Member
from app.lib.realtime.gate import Grant, Renewed
from app.lib.realtime.names import ChannelName
from app.lib.realtime.service import Realtime, RealtimeOptions
from app.lib.realtime.transports import WebSocketTransport
from app.lib.security.principal import Principal
from app.lib.serving.draining import Draining
from app.lib.serving.server import ServerOptions, run_server


class OpenGate:
    """Everybody may everything, and is present in rooms."""

    def __init__(self) -> None:
        self._known: dict[UUID, Principal] = {}

    def sign_in(self, user_id: UUID) -> Principal:
        principal = Principal(
            user_id=user_id,
            session_id=uuid4(),
            authenticated_at=datetime.now(UTC),
            is_superuser=False,
            roles=frozenset(),
            permissions=frozenset(),
        )
        self._known[principal.session_id] = principal
        return principal

    async def subscribe(self, principal: Principal, channel: ChannelName) -> Grant:
        return Grant(Member(principal.user_id, "somebody") if channel.kind == "room" else None)

    async def publish(self, principal: Principal, channel: ChannelName, event: str) -> None:
        return

    async def refresh(self, principal: Principal, token: str) -> Renewed:
        return Renewed(principal, None)

    async def principals(self, session_ids: Collection[UUID]) -> Mapping[UUID, Principal]:
        return self._known


def _fanout(kind: str, url: DatabaseURL) -> Fanout:
    if kind == "postgresql":
        return PostgreSQLFanout(url)
    if kind == "valkey":
        return RedisFanout(os.environ["REDIS_URL"])
    return MemoryFanout() if kind == "memory" else SilentFanout()


def create_app() -> Any:
    """An ASGI application."""
    url = DatabaseURL.parse(os.environ["DATABASE_URL"])
    kind = os.environ["FANOUT"]
    database = Database(DatabaseOptions(url=url, pool_size=2))
    gate, draining = OpenGate(), Draining()
    options = RealtimeOptions(sweep_seconds=0.1 if kind == "silent" else 1.0)
    realtime = Realtime(database, _fanout(kind, url), gate, draining=draining.wait, options=options)

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            (user,) = parse_qs(scope["query_string"].decode())["user"]
            await realtime.serve(Connection(gate.sign_in(UUID(user))), WebSocketTransport(receive, send))

    async def live(receive: Any, send: Any) -> None:
        await receive()
        async with draining.lifespan(None):
            await database.start()
            await realtime.start()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await realtime.close()
            await database.close()
        os.write(1, b"ended\n")
        await send({"type": "lifespan.shutdown.complete"})

    return app


if __name__ == "__main__":
    configure_logging("warning", "console")
    run_server(
        "benchmarks.realtime_server:create_app",
        ServerOptions(address="127.0.0.1", port=int(sys.argv[1]), workers=int(sys.argv[2])),
    )
