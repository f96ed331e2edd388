"""All of it together, as an app makes it once per process."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import msgspec

from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.realtime.events import Farewell, LostSocket, NewEvent
from app.lib.realtime.fanout import Fanout
from app.lib.realtime.frames import CloseCode
from app.lib.realtime.gate import Gate
from app.lib.realtime.hub import Hub
from app.lib.realtime.log import EventLog
from app.lib.realtime.names import parse_channel
from app.lib.realtime.news import Scribe
from app.lib.realtime.node import Node
from app.lib.realtime.registry import SocketRow
from app.lib.realtime.rights import Rights
from app.lib.realtime.sockets import Socket, Transport
from app.lib.security.principal import Principal

_TICK = 0.5


class RealtimeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in seconds.

    ``sweep_seconds``: how long a lost hint may hold up an event. ``kept_kinds``: kinds of channels whose events are
    kept for good; of the others the last 200 events, and nothing older than ``keep_seconds``. A socket from which
    nothing comes through two pings is closed. ``presence_pause``: for how long changes are collected.
    """

    kept_kinds: frozenset[str] = frozenset()
    keep_seconds: float = 600.0
    sweep_seconds: float = 1.0
    beat_seconds: float = 2.0
    stale_seconds: float = 8.0
    ping_seconds: float = 25.0
    stream_ping_seconds: float = 15.0
    rights_seconds: float = 0.5
    presence_pause: float = 0.05
    close_seconds: float = 5.0
    max_sockets: int = 10
    max_channels: int = 100


class Realtime:
    """The hub, the sockets of this process, and what watches over them.

    ``database`` is best one of its own (a pool of two), so that requests and sockets do not wait for each other; on
    SQLite it is the service's own, which has the one writer. ``draining`` returns when the process is about to end.
    Publishing works without :meth:`start`, as in a process that only runs jobs.
    """

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
        self.options = options = options or RealtimeOptions()
        self.gate = gate
        self.closed: Counter[CloseCode] = Counter()
        """How many sockets we have closed, by code."""
        self._draining = draining
        self._is_draining = False
        self._database = database
        self._sockets: dict[UUID, Socket] = {}
        self._log = EventLog(database.reader, options.kept_kinds, options.keep_seconds)
        scribe = Scribe(self._log, fanout)
        self._node = Node(
            database,
            scribe,
            farewell or _no_farewell,
            self._evict,
            max_sockets=options.max_sockets,
            beat_seconds=options.beat_seconds,
            stale_seconds=options.stale_seconds,
        )
        self.hub = Hub(
            database,
            self._log,
            scribe,
            fanout,
            self._node,
            sweep_seconds=options.sweep_seconds,
            presence_pause=options.presence_pause,
        )
        self._rights = Rights(self.hub, gate, self._sockets.values, options.rights_seconds)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def sockets(self) -> Collection[Socket]:
        """Those of this process."""
        return self._sockets.values()

    @property
    def max_channels(self) -> int:
        """Of one socket."""
        return self.options.max_channels

    @property
    def close_seconds(self) -> float:
        """How long a peer may take to hear that it is over."""
        return self.options.close_seconds

    async def start(self) -> None:
        """Starts everything. Needs neither the database nor the fan-out yet."""
        await self.hub.start()
        await self._node.start()
        await self._rights.start()
        self._tasks = [asyncio.create_task(self._keep_alive()), asyncio.create_task(self._drain())]

    async def close(self) -> None:
        """Closes all sockets with 1012 and removes what this process has in the database. Takes a few seconds at most.
        Call it before the database is closed.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self.options.close_seconds + 1):
                await self.say_goodbye()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._rights.close()
        await self._node.close(self.options.close_seconds)
        await self.hub.close(self.options.close_seconds)

    async def say_goodbye(self) -> None:
        """Closes all sockets with 1012, those that are opened from now on, too. Returns when all have heard it."""
        self._restart()
        while self._sockets:  # noqa: ASYNC110 - once in a life
            await asyncio.sleep(0.02)

    async def serve(self, socket: Socket, transport: Transport) -> None:
        """Runs a socket to its end, whatever that is.

        Raises ``TooManySockets`` or ``RealtimeUnavailable`` before anything is sent or received: :meth:`registered`
        and :meth:`run` are the two halves, for those who have to answer in between.
        """
        async with self.registered(socket):
            await self.run(socket, transport)

    @asynccontextmanager
    async def registered(self, socket: Socket) -> AsyncGenerator[None]:
        """Counts a socket for as long as the context lasts. Raises ``TooManySockets`` or ``RealtimeUnavailable``.

        At the end its presence is over and its farewell is said.
        """
        principal = socket.principal
        await self._node.open(SocketRow(socket.id, principal.user_id, principal.session_id, socket.kind, socket.label))
        try:
            yield
        finally:
            self._node.remove(socket.id)

    async def run(self, socket: Socket, transport: Transport) -> None:
        """Runs a registered socket; returns when the transport is closed."""
        seconds = self._ping_seconds(socket)
        socket.next_ping = time.monotonic() + random.uniform(0.5, 1) * seconds  # noqa: S311 - spreads the load
        self._sockets[socket.id] = socket
        if self._is_draining:
            socket.close(CloseCode.RESTARTING)
        try:
            await socket.run(transport, self)
        finally:
            self._sockets.pop(socket.id, None)

    async def check(self, principal: Principal, channels: Collection[str]) -> None:
        """Whether the person may listen to all of them. Raises what the gate raises, or ``InvalidChannel``."""
        for channel in channels:
            await self.gate.subscribe(principal, parse_channel(channel))

    async def trim(self, unit: UnitOfWork, most: int = 1000) -> int:
        """Deletes up to so many events whose time is over, and returns how many; for a job."""
        return await self._log.trim(unit.session, most)

    def look_again(self) -> None:
        """Asks at once which sessions are alive and what they may, instead of within half a second. Does not wait."""
        self._rights.look_again()

    def ask_again(self, socket: Socket, channel: str) -> None:
        """Whether a socket may still listen to a channel; its subscription ends if not. Does not wait."""
        self._rights.ask_again(socket, channel)

    def closed_as(self, code: CloseCode) -> None:
        """Counts."""
        self.closed[code] += 1

    def _evict(self, socket_id: UUID) -> None:
        if (socket := self._sockets.get(socket_id)) is not None:
            socket.close(CloseCode.TOO_FAST, "too many sockets")

    def _ping_seconds(self, socket: Socket) -> float:
        return self.options.ping_seconds if socket.answers_pings else self.options.stream_ping_seconds

    async def _keep_alive(self) -> None:
        """One task for all sockets."""
        tick = min(_TICK, self.options.ping_seconds / 4)
        while True:
            await asyncio.sleep(tick)
            now = time.monotonic()
            for socket in tuple(self._sockets.values()):
                if now >= socket.next_ping and socket.ping_text is not None:
                    self._ping(socket, now)

    def _ping(self, socket: Socket, now: float) -> None:
        is_silent = socket.answers_pings and socket.heard_at < socket.pinged_at
        socket.unanswered = socket.unanswered + 1 if is_silent else 0
        if socket.unanswered >= 2:  # noqa: PLR2004 - two pings
            socket.close(CloseCode.GONE, "no sign of life")
            return
        socket.pinged_at, socket.next_ping = now, now + self._ping_seconds(socket)
        socket.put(socket.ping_text or "")

    async def _drain(self) -> None:
        await self._draining()
        self._restart()

    def _restart(self) -> None:
        self._is_draining = True
        for socket in tuple(self._sockets.values()):
            socket.close(CloseCode.RESTARTING, "restarting")


def _no_farewell(_socket: LostSocket) -> NewEvent | None:
    return None
