"""All of it together, as an app makes it once per process."""

from collections.abc import Awaitable, Callable

import msgspec

from app.lib.db.engine import Database
from app.lib.realtime.connection import TextSocket, Transport
from app.lib.realtime.events import Farewell
from app.lib.realtime.fanout import Fanout
from app.lib.realtime.gate import Gate
from app.lib.realtime.hub import Hub
from app.lib.realtime.sockets import Sockets
from app.lib.realtime.stream import Stream


class RealtimeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in seconds.

    ``sweep_seconds``: how long a lost hint may hold up an event. ``kept_kinds``: kinds of channels whose events are
    kept for good; of the others the last 200 events, and nothing older than ``keep_seconds``.
    """

    kept_kinds: frozenset[str] = frozenset()
    keep_seconds: float = 600.0
    sweep_seconds: float = 1.0
    beat_seconds: float = 2.0
    stale_seconds: float = 8.0
    ping_seconds: float = 25.0
    rights_seconds: float = 0.5
    presence_pause: float = 0.05
    close_seconds: float = 5.0
    max_sockets: int = 10
    max_channels: int = 100
    messages_per_second: float = 20.0
    burst: int = 40


class Realtime:
    """The hub, the sockets, and what watches over them.

    ``database`` is best one of its own (a pool of two), so that requests and sockets do not wait for each other; on
    SQLite it is the service's own, which has the one writer. ``draining`` returns when the process is about to end.
    """

    hub: Hub
    sockets: Sockets

    def __init__(
        self,
        database: Database,
        fanout: Fanout,
        gate: Gate,
        *,
        draining: Callable[[], Awaitable[None]],
        farewell: Farewell | None = None,
        options: RealtimeOptions | None = None,
    ) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Starts everything. Needs neither the database nor the fan-out yet."""
        raise NotImplementedError

    async def close(self) -> None:
        """Closes all sockets with 1012 and removes what this process has in the database. Takes a few seconds at most.
        Call it before the database is closed.
        """
        raise NotImplementedError

    async def serve(self, socket: TextSocket, transport: Transport) -> None:
        """Runs a socket to its end, whatever that is; returns when the transport is closed."""
        raise NotImplementedError

    async def subscribe(self, stream: Stream, channels: dict[str, int | None]) -> None:
        """Subscribes a stream to channels, each from its position. Raises what the gate raises, before anything is
        subscribed.
        """
        raise NotImplementedError

    async def trim(self, limit: int = 1000) -> int:
        """Deletes up to ``limit`` events whose time is over, and returns how many; for a job."""
        raise NotImplementedError
