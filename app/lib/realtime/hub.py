"""The channels of this process: what is in the log comes from there to the subscribers here.

A hint (another process says that a channel is at some id) only saves time; the log in the database is the truth. What
this process has committed itself is delivered at once where it is next in its channel. Everything else is read from
the log after what was delivered last, for many channels at a time: what a hint announced, and what the sweep finds when
hints were lost. So no event is lost, doubled or out of order, however hints travel.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import structlog

from app.lib.events import Hint, HintsLost, in_every_process
from app.lib.jobs.background import wait_for_signal
from app.lib.realtime.channels import ChannelAdvanced, ChannelKind, PresenceChanged
from app.lib.realtime.errors import as_realtime_error
from app.lib.realtime.frames import REPLAY_LIMIT, Subscribed, Unsubscribed, encode_frame
from app.lib.realtime.log import PAGE, ChannelWriter, EventLog, StoredEvent
from app.lib.realtime.options import RealtimeOptions
from app.lib.realtime.registry import SocketRegistry
from app.lib.realtime.sockets import Socket
from app.lib.realtime.subscriptions import LocalChannel, Subscription

log = structlog.stdlib.get_logger(__name__)

CHANNELS_AT_A_TIME = 8
"""That are read together: at most 200 events."""

_PATIENCE = 5.0
_TICK = 0.01
_CATCH_UP_PAUSE = 0.005


class Hub:
    """One per process. ``read``, ``sweep`` and ``update_presence`` are the steps of loops in the background."""

    def __init__(
        self,
        event_log: EventLog,
        writer: ChannelWriter,
        registry: SocketRegistry,
        kinds: Mapping[str, ChannelKind],
        options: RealtimeOptions,
    ) -> None:
        self.delivered = self.replayed = self.read_from_log = 0
        """Events, counted since the start."""
        self.channels: dict[str, LocalChannel] = {}
        self._log = event_log
        self._writer = writer
        self._registry = registry
        self._kinds = kinds
        self._options = options
        self._behind: dict[str, None] = {}
        """Names of channels with something to read, those that waited longest first."""
        self._stale_presence: set[str] = set()
        self._must_read, self._must_sweep, self._must_look = asyncio.Event(), asyncio.Event(), asyncio.Event()
        writer.on_committed = self._deliver

    def apply(self, hint: Hint) -> None:
        """Takes note of a hint."""
        if isinstance(hint, HintsLost):
            self._must_sweep.set()
            for each in self.channels.values():
                self._look_at(each)
        elif isinstance(hint, ChannelAdvanced | PresenceChanged) and (local := self.channels.get(hint.channel)):
            if isinstance(hint, ChannelAdvanced):
                self._advance_to(local, hint.id)
            else:
                self._look_at(local)

    async def attach(self, socket: Socket, channel: str, *, since: int | None = None, ref: str | None = None) -> None:
        """Subscribes, if ``socket.admit`` does not raise. The member that it returns is present until
        :meth:`detach`.

        The socket is greeted at the moment from which on nothing will be missing; then what was missed after ``since``
        is replayed, as fast as the subscriber has room; returns when it is up to date. Attaching again starts again at
        ``since``. Raises what ``admit`` and the database raise; after the greeting the subscription may only end.
        """
        local = self.channels.setdefault(channel, LocalChannel(channel, self._kinds.get(channel.partition(":")[0])))
        local.attaching += 1
        try:
            await self._open(local)
            subscription, missed = await self._begin(local, socket, since, ref)
        finally:
            local.attaching -= 1
            self._close_if_idle(local)
        try:
            await self._replay(local, subscription, missed)
        except Exception as exc:
            if as_realtime_error(exc):
                log.warning("realtime.replay_failed", error=type(exc).__name__)
            else:
                log.exception("realtime.replay_failed", error=type(exc).__name__)
            self._end(local, subscription, "unavailable")

    def detach(self, socket: Socket, channel: str, reason: str | None = None) -> bool:
        """Ends a subscription, and the presence that came with it; with a reason the socket is sent it. Returns whether
        there was one.
        """
        local = self.channels.get(channel)
        subscription = local.subscriptions.get(socket.id) if local is not None else None
        if local is None or subscription is None:
            return False
        self._end(local, subscription, reason)
        return True

    async def _open(self, local: LocalChannel) -> None:
        """Reads where the channel is. Hints count from before, so that nothing falls in between."""
        async with local.opening:
            if local.is_open:
                return
            last_ids = await self._log.last_ids([local.name])
            if local.kind is not None and local.kind.has_presence:
                present = await self._registry.present([local.name])
                local.shown = dict(present[local.name])
            local.last_id, local.is_open = last_ids.get(local.name, 0), True
            self._advance_to(local, local.last_id)

    async def _begin(
        self, local: LocalChannel, socket: Socket, since: int | None, ref: str | None
    ) -> tuple[Subscription, list[StoredEvent]]:
        """The subscription, greeted and not yet live, and the first of what it has missed."""
        revocations = local.revocations
        subscription = Subscription(socket, await socket.admit(local.name))
        missed: list[StoredEvent] = []
        ahead = 0
        try:
            if subscription.member is not None:
                await self._registry.join(subscription.id, local.name, subscription.member)
            if since is not None and since > local.last_id:  # the subscriber may come from a process that is ahead
                self._advance_to(local, (await self._log.last_ids([local.name])).get(local.name, 0))
                ahead = since if since <= local.target else 0
            if since is not None and 0 < local.last_id - since <= REPLAY_LIMIT:
                missed = await self._log.after({local.name: since})
        except BaseException:
            self._leave(local, subscription)
            raise
        # No await from here to the greeting: nothing can come in between.
        subscription.position = last_id = max(local.last_id, ahead)
        frame = Subscribed(channel=local.name, ref=ref, last_id=last_id, recovered=True, missed=0, presence=[])
        if since is not None and since != last_id:
            frame.missed = last_id - since if since < last_id else None
            frame.recovered = bool(missed) and missed[0].id == since + 1
            if frame.recovered:
                subscription.position = since
        if (before := local.subscriptions.get(socket.id)) is not None:
            self._leave(local, before)
        local.subscriptions[socket.id] = subscription
        if subscription.member is not None:
            local.show_join(subscription)
            frame.presence = list(local.shown.values())
        socket.channels.add(local.name)
        socket.send(frame)
        if revocations != local.revocations:
            socket.context.check_again(socket, [local.name])
        return subscription, missed

    async def _replay(self, local: LocalChannel, subscription: Subscription, rows: list[StoredEvent]) -> None:
        """Delivers what was missed. Returns when the subscription is up to date, or over."""
        while subscription.position < local.last_id:
            rows = rows or await self._log.after({local.name: subscription.position})
            if not rows or rows[0].id != subscription.position + 1:
                self._end(local, subscription, "lost")  # it was too slow: the log has dropped the next one
                return
            for row in rows:
                await subscription.socket.has_room()
                if not local.has(subscription):
                    return
                if row.id <= subscription.position:
                    continue  # it was up to date for a moment, and got this one from the hub
                self._writer.acknowledge(row.key, row.id)
                frame = row.frame
                subscription.deliver(frame, encode_frame(frame))
                self.replayed += 1
            rows = []

    def _leave(self, local: LocalChannel, subscription: Subscription) -> None:
        if subscription.member is not None:
            self._registry.leave(subscription.id, local.name)

    def _end(self, local: LocalChannel, subscription: Subscription, reason: str | None = None) -> None:
        if not local.has(subscription):
            return
        self._leave(local, subscription)
        socket = subscription.socket
        del local.subscriptions[socket.id]
        socket.channels.discard(local.name)
        if reason is not None:
            socket.send(Unsubscribed(channel=local.name, reason=reason))
        self._close_if_idle(local)

    def _look_at(self, local: LocalChannel) -> None:
        """Members of the channel have come or gone."""
        self._stale_presence.add(local.name)
        self._must_look.set()

    def _close_if_idle(self, local: LocalChannel) -> None:
        if not local.subscriptions and not local.attaching and self.channels.get(local.name) is local:
            del self.channels[local.name]

    def _advance_to(self, local: LocalChannel, last_id: int) -> None:
        """The channel has events up to this id."""
        local.target = max(local.target, last_id)
        if local.is_behind:
            self._behind[local.name] = None
            self._must_read.set()

    def _deliver(self, rows: Sequence[StoredEvent]) -> None:
        """Delivers the rows that are next in their channels."""
        for row in rows:
            local = self.channels.get(row.channel)
            if local is None or not local.is_open or row.id != local.last_id + 1:
                continue
            self._writer.acknowledge(row.key, row.id)
            self.delivered += local.deliver(row.frame)

    async def read(self) -> None:
        """Reads on in the channels that have waited longest. Waits until there is one."""
        if not self._behind:
            await self._must_read.wait()
        self._must_read.clear()
        positions: dict[str, int] = {}
        for name in islice(tuple(self._behind), CHANNELS_AT_A_TIME):
            local = self.channels.get(name)
            if local is not None and local.is_behind:
                positions[name] = local.last_id
            else:
                del self._behind[name]
        if not positions:
            return
        rows = await self._log.after(positions)
        self.read_from_log += len(rows)
        self._deliver(rows)
        for name, position in positions.items():
            self._behind.pop(name, None)
            local = self.channels.get(name)
            if local is None:
                continue
            if local.last_id == position:
                await self._skip_gap(local)
            self._advance_to(local, local.target)
        if len(rows) >= PAGE:  # after a delay there is much to deliver: let the sockets send it
            await asyncio.sleep(_CATCH_UP_PAUSE)

    async def _skip_gap(self, local: LocalChannel) -> None:
        """The next event was not in the log: it has been dropped there, or a hint was wrong."""
        position = local.last_id
        last_id = (await self._log.last_ids([local.name])).get(local.name, 0)
        if local.last_id != position:
            return
        if last_id > position:
            self._reset(local, last_id, "lost")
        local.target = local.last_id

    def _reset(self, local: LocalChannel, last_id: int, reason: str) -> None:
        """Subscribers must start again: the next event of the channel will never come."""
        log.warning("realtime.channel_reset", channel=local.name, reason=reason)
        local.last_id = local.target = last_id
        for each in tuple(local.subscriptions.values()):
            self._end(local, each, reason)

    async def sweep(self) -> None:
        """Finds what no hint has announced. Waits until it is time for that."""
        await wait_for_signal(self._must_sweep, self._options.sweep_seconds)
        await self._find_new(self.channels)

    async def _find_new(self, names: Iterable[str]) -> None:
        known = {name: self.channels[name].last_id for name in names if self.channels[name].is_open}
        if not known:
            return
        last_ids = await self._log.last_ids(known)
        for name, position in known.items():
            if (local := self.channels.get(name)) is None or not local.is_open:
                continue
            if last_ids.get(name, 0) < position:
                self._reset(local, last_ids.get(name, 0), "reset")  # an older database was restored
            else:
                self._advance_to(local, last_ids.get(name, 0))

    async def update_presence(self) -> None:
        """Reads who is present: where it has changed, and in all channels now and then, because the leases of processes
        expire without a hint.
        """
        if await wait_for_signal(self._must_look, self._options.presence_seconds):
            await asyncio.sleep(self._options.presence_pause)  # where one comes there come more
        else:
            self._stale_presence |= {name for name, local in self.channels.items() if local.members}
        names = self._stale_presence & self.channels.keys()
        self._stale_presence.clear()
        if not names:
            return
        try:
            present = await self._registry.present(names)
        except Exception:
            self._stale_presence |= names
            raise
        # What members said before they left comes before that.
        await self._find_new(names & self.channels.keys())
        for name, members in present.items():
            if (local := self.channels.get(name)) is not None and local.is_open:
                said = local.target
                async with asyncio.timeout(_PATIENCE):
                    # Rare and short; an event would cost each delivery.
                    while local.last_id < said and self.channels.get(name) is local:  # noqa: ASYNC110 - as above
                        await asyncio.sleep(_TICK)
                local.show_presence(members)


@in_every_process(ChannelAdvanced, PresenceChanged, HintsLost)
def apply_hint(hint: Hint, hub: Hub) -> None:
    """Belongs to the listeners of the app."""
    hub.apply(hint)
