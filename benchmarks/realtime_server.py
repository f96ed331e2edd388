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
from app.lib.events import Events
from app.lib.events.fanout import Fanout, PostgreSQLFanout, SilentFanout
from app.lib.events.fanout.redis import RedisFanout
from app.lib.observability.logging import configure_logging
from app.lib.realtime.channels import ChannelAccess, ChannelKind, Member
from app.lib.realtime.options import RealtimeOptions
from app.lib.realtime.protocols import Connection, WebSocketTransport
from app.lib.realtime.service import Realtime, channel_listeners
from app.lib.security.principal import Principal
from app.lib.services import Services
from app.lib.serving.addresses import claim
from app.lib.serving.draining import Draining
from app.lib.serving.server import ServerOptions, run_server


class AllPeople:
    """All users may do everything, and are present in rooms."""

    def __init__(self) -> None:
        self._known: dict[UUID, Principal] = {}

    def sign_in(self, user_id: UUID) -> Principal:
        principal = Principal(
            user_id=user_id,
            session_id=uuid4(),
            authenticated_at=datetime.now(UTC),
            is_superuser=False,
            permissions=frozenset(),
        )
        self._known[principal.session_id] = principal
        return principal

    async def refresh(self, principal: Principal, token: str) -> tuple[Principal, datetime | None]:
        return principal, None

    async def principals(self, session_ids: Collection[UUID]) -> Mapping[UUID, Principal]:
        return self._known

    async def member(self, principal: Principal) -> Member:
        return Member(principal.user_id, None, "a user", None)


async def may(_principal: Principal, _name: str) -> None:
    """All may."""


KINDS = (
    *(ChannelKind(name=f"load{letter}", may_subscribe=may, may_publish=may) for letter in "abcdefghij"),
    ChannelKind(name="room", may_subscribe=may, may_publish=may, has_presence=True),
)


def _fanout(kind: str, url: DatabaseURL) -> Fanout:
    if kind == "postgresql":
        return PostgreSQLFanout(url)
    if kind == "valkey":
        return RedisFanout(os.environ["REDIS_URL"])
    return Fanout() if kind == "memory" else SilentFanout()


def create_app() -> Any:
    """An ASGI application."""
    url = DatabaseURL.parse(os.environ["DATABASE_URL"])
    kind = os.environ["FANOUT"]
    database = Database(DatabaseOptions(url=url, pool_size=2))
    people, draining, services = AllPeople(), Draining(), Services()
    events = Events(channel_listeners(KINDS), services, _fanout(kind, url))
    access = ChannelAccess(KINDS, people, services.get)
    options = RealtimeOptions(max_events_per_day=10_000_000)
    realtime = Realtime(database, events, access, options)
    draining.on_end(realtime.say_goodbye)
    services.add(realtime.hub)

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send)
        elif scope["type"] == "websocket":
            (user,) = parse_qs(scope["query_string"].decode())["user"]
            connection = Connection(people.sign_in(UUID(user)), realtime)
            await realtime.serve(connection, WebSocketTransport(receive, send))
        else:  # whether it runs
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def live(receive: Any, send: Any) -> None:
        await receive()
        async with draining.lifespan(None):
            await database.start()
            await events.start()
            await realtime.start()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await realtime.close()
            await events.close()
            await database.close()
        await send({"type": "lifespan.shutdown.complete"})

    return app


if __name__ == "__main__":
    configure_logging("warning", "console")
    run_server(
        "benchmarks.realtime_server:create_app",
        ServerOptions(listeners=claim("127.0.0.1", int(sys.argv[1]), int(sys.argv[2])), workers=int(sys.argv[2])),
    )
