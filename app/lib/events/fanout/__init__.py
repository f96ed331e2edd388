"""How processes send each other hints, which may be lost, doubled or late."""

from pkgutil import resolve_name
from typing import cast

from app.lib.db.url import DatabaseURL
from app.lib.events.fanout.base import Fanout, SilentFanout
from app.lib.events.fanout.postgres import PostgreSQLFanout

__all__ = ["Fanout", "PostgreSQLFanout", "SilentFanout", "choose_fanout"]


def choose_fanout(redis_url: str | None, listen_at: DatabaseURL | None, *, alone: bool) -> Fanout:
    """Redis where there is one, else PostgreSQL's notifications, or none.

    ``listen_at`` is a PostgreSQL database that can be listened to: LISTEN does not work through a pooler.
    """
    if redis_url is not None:  # by name, so that others do not load the client library
        return cast("Fanout", resolve_name("app.lib.events.fanout.redis:RedisFanout")(redis_url))
    if listen_at is not None:
        return PostgreSQLFanout(listen_at)
    return Fanout() if alone else SilentFanout()
