"""The channels of this process: what is published goes to the log, and from the log to whoever listens here.

A hint (another worker's word that a channel is now at some id) is only an accelerator; the log in the database is the
truth. A hint with the next id and the body inline is delivered at once. In any other case (a gap, a body too large,
a lost hint that the sweep finds, a fan-out that comes back) the log is read after what was delivered last. So nothing
is lost, doubled or reordered, whatever the fan-out does.
"""

import asyncio
from collections.abc import Callable
from uuid import UUID

import msgspec
import structlog

from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.realtime.batches import as_realtime_error
from app.lib.realtime.events import Acknowledge, Delivery, NewEvent
from app.lib.realtime.fanout import RESYNC, Fanout
from app.lib.realtime.following import Follower, Tasks
from app.lib.realtime.hints import decode_hints
from app.lib.realtime.local import LocalChannel, Subscriber, Subscription
from app.lib.realtime.log import Changes, ChannelState, EventLog
from app.lib.realtime.news import News, Scribe
from app.lib.realtime.node import Node
from app.lib.realtime.publishing import Publishing
from app.lib.realtime.subscribing import Admit, Beginnings, Greeting

log = structlog.stdlib.get_logger(__name__)


class HubStatistics(msgspec.Struct, frozen=True):
    """Events, counted since the start; ``channels`` are those of the moment."""

    channels: int
    published: int
    delivered: int
    replayed: int
    read_from_log: int


class Hub:
    """One per process."""

    def __init__(
        self,
        database: Database,
        event_log: EventLog,
        scribe: Scribe,
        fanout: Fanout,
        node: Node,
        *,
        sweep_seconds: float,
        presence_pause: float,
    ) -> None:
        self._log = event_log
        self._scribe = scribe
        self._fanout = fanout
        self._node = node
        self._delivered = 0
        self._channels: dict[str, LocalChannel] = {}
        self._tasks = Tasks()
        self._publishing = Publishing(database, scribe)
        self._follower = Follower(
            self._channels,
            event_log,
            node,
            self._tasks,
            self._lose,
            sweep_seconds=sweep_seconds,
            presence_pause=presence_pause,
        )
        self._beginnings = Beginnings(event_log, self._follower, node, self._publishing)
        scribe.on_committed = self._on_news

    @property
    def statistics(self) -> HubStatistics:
        """What has been done so far."""
        return HubStatistics(
            channels=len(self._channels),
            published=self._publishing.count,
            delivered=self._delivered,
            replayed=self._beginnings.count,
            read_from_log=self._follower.count,
        )

    @property
    def is_connected(self) -> bool:
        """Whether the fan-out works. Without it everything still arrives, a second later."""
        return self._fanout.is_connected

    async def start(self) -> None:
        """Begins to listen to other processes. Publishing works without it."""
        await self._fanout.on_startup()
        self._tasks.run(self._listen())
        self._tasks.run(self._follower.sweep())

    async def close(self, seconds: float) -> None:
        """Lets what is being published be written, then ends."""
        await self._publishing.drain(seconds)
        await self._scribe.drain(seconds)
        await self._tasks.cancel()
        self._scribe.on_committed = self._scribe.spread
        await self._fanout.on_shutdown()

    async def publish(self, event: NewEvent, *, acknowledge: Acknowledge | None = None) -> int:
        """Stores an event and returns its id; everybody gets it. Many at a time share one transaction.

        ``acknowledge`` is called with the id, once, before any subscriber of this process gets the event. Raises
        ``RealtimeUnavailable`` when the database is away; whether it was stored may then be unknown, so repeat it
        with its key. Not for use inside of a transaction: see :meth:`publish_in`.
        """
        return await self._publishing.publish(event, acknowledge)

    async def publish_in(self, unit: UnitOfWork, event: NewEvent) -> int:
        """The same in the caller's transaction: everybody gets it after the commit, and nobody without one.

        Locks the channel until then, so do it last.
        """
        written = await self._scribe.write(unit, Changes(events=[event]))
        return written.appended[0].id

    async def recheck(self, unit: UnitOfWork, channel: str, user_id: UUID | None = None) -> None:
        """Tells all workers, after the commit, that who may listen to a channel has changed.

        Only for that person when one is named. Their sockets ask the gate again (within a second even if every
        message between workers is lost). Locks the channel until the commit, so do it last.
        """
        await self._scribe.write(unit, Changes(access=[channel]), user_id=user_id)

    async def attach(
        self,
        subscriber: Subscriber,
        channel: str,
        greet: Callable[[Greeting], None],
        *,
        admit: Admit,
        since: int | None = None,
    ) -> None:
        """Subscribes, if ``admit`` does not raise. It is asked when changes of rights would be noticed already; the
        member that it returns is present until :meth:`detach`.

        ``greet`` is called once, at the moment from which on nothing will be missing; then what was missed since
        ``since`` is replayed, as fast as the subscriber has room; returns when it is up to date. Attaching again
        begins anew at ``since``. Raises what ``admit`` raises, and ``RealtimeUnavailable`` when the database is away;
        after the greeting it only says ``ended``.
        """
        local = self._channels.get(channel) or self._new_channel(channel)
        local.pins += 1
        try:
            await self._opened(local)
            subscription, missed = await self._beginnings.begin(local, subscriber, since, admit, greet)
        except Exception as exc:
            raise as_realtime_error(exc) or exc from exc
        finally:
            local.pins -= 1
            self._close_if_idle(local)
        reason = await self._beginnings.replay(local, subscription, missed)
        if reason is not None and not subscription.is_over:
            self._end(local, subscription, reason)

    def detach(self, subscriber: Subscriber, channel: str) -> bool:
        """Ends a subscription, and the presence that came with it. Whether there was one."""
        local = self._channels.get(channel)
        subscription = local.subscriptions.get(subscriber.id) if local is not None else None
        if local is None or subscription is None:
            return False
        self._end(local, subscription)
        return True

    def _end(self, local: LocalChannel, subscription: Subscription, reason: str | None = None) -> None:
        subscription.is_over = True
        subscriber = subscription.subscriber
        if local.subscriptions.get(subscriber.id) is subscription:
            del local.subscriptions[subscriber.id]
            if subscription.member is not None:
                self._node.leave((subscriber.id, local.name))
            local.show_presence()
        if reason is not None:
            subscriber.ended(local.name, reason)
        self._close_if_idle(local)

    def _lose(self, local: LocalChannel, reason: str) -> None:
        """The subscribers are to begin anew."""
        for subscription in tuple(local.subscriptions.values()):
            self._end(local, subscription, reason)

    def _new_channel(self, name: str) -> LocalChannel:
        local = self._channels[name] = LocalChannel(name, self._before_delivery)
        local.opening = asyncio.create_task(self._open(local))
        return local

    async def _opened(self, local: LocalChannel) -> None:
        """Raises what went wrong with opening it; the next one tries again."""
        if local.opening is not None:
            await asyncio.shield(local.opening)

    async def _open(self, local: LocalChannel) -> None:
        try:
            # First listening, then looking: so nothing falls between.
            await self._fanout.subscribe([local.name])
            states = await self._log.states([local.name])
            state = states.get(local.name, ChannelState(local.name))
            local.remote = await self._node.present_elsewhere(local.name)
        except BaseException:
            if self._channels.get(local.name) is local:
                del self._channels[local.name]
            raise
        local.presence_version = state.presence_version
        local.access_version = state.access_version
        local.show_presence()
        local.open_at(state.last_id)
        local.opening = None
        self._follower.progress(local)

    def _close_if_idle(self, local: LocalChannel) -> None:
        if local.subscriptions or local.pins or self._channels.get(local.name) is not local:
            return
        del self._channels[local.name]
        self._tasks.run(self._unsubscribe(local.name))

    async def _unsubscribe(self, name: str) -> None:
        if name not in self._channels:
            await self._fanout.unsubscribe([name])

    def _before_delivery(self, delivery: Delivery, listeners: int) -> None:
        self._publishing.acknowledge(delivery.key, delivery.id)
        self._delivered += listeners

    def _on_news(self, news: News) -> None:
        """What was committed by this process."""
        for delivery in news.deliveries:
            if (local := self._channels.get(delivery.channel)) is not None:
                local.offer(delivery.id, delivery)
                self._follower.progress(local)
        for hint in news.hints[len(news.deliveries) :]:
            self._follower.heed(hint, is_ours=news.is_ours)
        self._scribe.spread(news)

    async def _listen(self) -> None:
        async for channel, data in self._fanout.stream_events():
            if channel == RESYNC:
                self._follower.sweep_now()
                continue
            for hint in decode_hints(data):
                try:
                    self._follower.heed(hint)
                except Exception:
                    log.exception("realtime.hint_failed")
