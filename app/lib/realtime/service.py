"""All of it together, as an app makes it once per process."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.events import EventEnvelope, Events, Listener, after_commit
from app.lib.jobs import JobContext
from app.lib.jobs.background import Loops, wait_for_signal
from app.lib.realtime.channels import ChannelAccess, ChannelKind, NewEvent, Publication
from app.lib.realtime.errors import refusal_of
from app.lib.realtime.frames import CloseCode
from app.lib.realtime.hub import Hub, apply_hint
from app.lib.realtime.log import ChannelWriter, EventLog
from app.lib.realtime.options import RealtimeOptions
from app.lib.realtime.registry import SocketRegistry, connections_of
from app.lib.realtime.sockets import Socket, Transport
from app.lib.security.principal import Principal

_WITHOUT_HINTS_SECONDS = 0.1
_CHECKS_AT_A_TIME = 4
_RETRY_SECONDS = 0.5


class Realtime(Collector):
    """The hub, the sockets of this process, and the checks on them.

    ``database`` is best one of its own (a pool of two), so that requests and sockets do not wait for each other; on
    SQLite it is the app's, which has the one writer. Publishing works without :meth:`start`, as in a process that only
    runs jobs.
    """

    def __init__(self, database: Database, events: Events, access: ChannelAccess, options: RealtimeOptions) -> None:
        self.fanout = events.hints.fanout
        if not self.fanout.reaches_others:  # processes that cannot send each other hints have to look more often
            sweep = min(_WITHOUT_HINTS_SECONDS, options.sweep_seconds)
            look = min(_WITHOUT_HINTS_SECONDS, options.presence_seconds)
            options = msgspec.structs.replace(options, sweep_seconds=sweep, presence_seconds=look)
        self.options = options
        self.access = access
        self.sockets: dict[UUID, Socket] = {}
        """Those of this process."""
        self.closed: Counter[CloseCode] = Counter()
        """The number of sockets that the service has closed, by code."""
        self._is_draining = False
        self._loops = Loops()
        self._log = EventLog(database.reader, access.kinds, options)
        self.writer = ChannelWriter(database, self._log, events, options.max_events_per_day)
        self._registry = SocketRegistry(database, events, self.sockets, self._close_all, options)
        self.hub = Hub(self._log, self.writer, self._registry, access.kinds, options)
        self.attach, self.detach, self.publish = self.hub.attach, self.hub.detach, self.writer.publish
        self._must_check, self._checks = asyncio.Event(), asyncio.Semaphore(_CHECKS_AT_A_TIME)

    async def start(self) -> None:
        """Starts everything, again after :meth:`close`. Needs neither the database nor the fan-out yet."""
        self._is_draining = False
        repeat = self._loops.repeat
        repeat(self.hub.read, "realtime.read_failed")
        repeat(self.hub.sweep, "realtime.sweep_failed")
        repeat(self.hub.update_presence, "realtime.presence_failed")
        repeat(self._registry.renew_lease, "realtime.lease_not_renewed")
        repeat(self._registry.remove_ended, "realtime.sockets_not_removed")
        repeat(self._check_sessions, "realtime.rights_failed")

    async def close(self) -> None:
        """Closes all sockets with 1012 and removes what this process has in the database. Takes a few seconds at most.
        Call it before the database is closed.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self.options.close_seconds + 1):
                await self.say_goodbye()
        await self.writer.drain(self.options.close_seconds)
        await self._loops.close()
        await self._registry.close()

    async def say_goodbye(self) -> None:
        """Closes all sockets with 1012, and those that open from now on. Returns when all have got it."""
        self._is_draining = True
        self._close_all()
        while self.sockets:  # noqa: ASYNC110 - once in a life
            await asyncio.sleep(0.02)

    async def serve(self, socket: Socket, transport: Transport) -> None:
        """Runs a socket; returns when the transport is closed.

        Raises ``TooManyConnections``, or what the database raises, before the transport is accepted.
        """
        await self._registry.open(socket.id, socket.user_id)
        self.sockets[socket.id] = socket
        if self._is_draining:
            socket.close(CloseCode.RESTARTING)
        try:
            await socket.run(transport)
        finally:
            del self.sockets[socket.id]
            self._registry.leave(socket.id, connections_of(socket.user_id))

    async def trim(self, unit: UnitOfWork) -> int:
        """Deletes a batch of events whose time is over, or of what killed processes have left. Returns its size. For a
        job.
        """
        return await self._log.trim(unit) or await self._registry.purge(unit)

    def check_sessions_now(self) -> None:
        """Sessions may have ended, or rights changed. Does not wait."""
        self._must_check.set()

    def check_again(self, socket: Socket, channels: Iterable[str]) -> None:
        """Checks whether this socket may still listen, and ends what it may not. Does not wait."""
        self._loops.run(self._check_channels(socket, tuple(channels)))

    async def _check_sessions(self) -> None:
        """Closes the sockets of sessions that have ended: regularly, and at once after a change. While the database is
        away all people keep what they have.
        """
        await wait_for_signal(self._must_check, self.options.rights_seconds)
        by_session: dict[UUID, list[Socket]] = defaultdict(list)
        for socket in self.sockets.values():
            by_session[socket.principal.session_id].append(socket)
        if not by_session:
            return
        principals = await self.access.people.principals(by_session.keys())
        for session_id, sockets in by_session.items():
            principal = principals.get(session_id)
            for socket in sockets:
                if socket.principal.session_id != session_id:
                    continue  # it has a new token by now
                if principal is None:
                    socket.close(CloseCode.AUTHENTICATE_AGAIN, "the session has ended")
                elif _rights_of(principal) != _rights_of(socket.principal):
                    socket.principal = principal
                    self.check_again(socket, socket.channels)

    async def _check_channels(self, socket: Socket, channels: Collection[str]) -> None:
        async with self._checks:
            for channel in channels:
                try:
                    if socket.close_code is None and channel in socket.channels:
                        await socket.admit(channel)
                except Exception as exc:  # noqa: BLE001 - sent to the client, and logged where it is a bug
                    refusal = refusal_of(exc)
                    if refusal.retryable:
                        asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.check_again, socket, [channel])
                    else:
                        self.detach(socket, channel, refusal.code)

    def _close_all(self) -> None:
        for socket in tuple(self.sockets.values()):
            socket.close(CloseCode.RESTARTING, "restarting")

    def collect(self) -> Iterable[Metric]:
        """Numbers of this process for Prometheus. A fan-out that is not connected costs time and nothing else."""
        hub, gauge, counter = self.hub, GaugeMetricFamily, CounterMetricFamily
        for family, name, text, value in (
            (gauge, "channels", "Channels with subscribers here.", len(hub.channels)),
            (gauge, "fanout_connected", "Whether workers get each other's hints.", int(self.fanout.is_connected)),
            (counter, "events_published", "Events published here.", self.writer.published),
            (counter, "events_delivered", "Events given to sockets, once for each.", hub.delivered),
            (counter, "events_replayed", "Events that a subscriber had missed.", hub.replayed),
            (counter, "events_read_from_log", "Events of other workers, read from the log.", hub.read_from_log),
        ):
            yield family(f"realtime_{name}", text, value=value)
        sockets = gauge("realtime_sockets", "Open sockets and streams.", labels=["kind"])
        kinds: Counter[str] = Counter(socket.kind for socket in self.sockets.values())
        for kind in ("socket", "stream", "lobby"):
            sockets.add_metric([kind], kinds[kind])
        yield sockets
        closed = counter("realtime_sockets_closed", "Sockets that the service closed.", labels=["code"])
        for code, count in sorted(self.closed.items()):
            closed.add_metric([str(int(code))], count)
        yield closed


def _rights_of(principal: Principal) -> tuple[bool, frozenset[str]]:
    return principal.is_superuser, principal.permissions


def channel_listeners(kinds: Iterable[ChannelKind]) -> tuple[Listener, ...]:
    """The listeners that an app needs for its channels: of hints, and for each event that is published on a channel."""
    return (apply_hint, *(_publisher_of(each) for kind in kinds for each in kind.publications))


def _publisher_of(publication: Publication) -> Listener:
    kind = publication.event.kind

    @after_commit(f"realtime:{kind}", publication.event)
    async def publish(envelope: EventEnvelope[Any], context: JobContext) -> None:
        key = str(envelope.id) if publication.key is None else await publication.key(envelope, context.reader)
        if key is None:
            return
        happened = envelope.event
        data = msgspec.json.encode({**publication.data(happened), "version": happened.aggregate_version})
        event = NewEvent(channel=publication.channel(happened), event=kind, data=data, key=key)
        await context.service(ChannelWriter).publish(event)

    return publish
