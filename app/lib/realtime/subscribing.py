"""How a subscription begins: from the log, at the subscriber's own pace, until it has caught up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from app.lib.realtime.batches import bug_in
from app.lib.realtime.events import StoredEvent
from app.lib.realtime.following import Follower
from app.lib.realtime.frames import REPLAY_LIMIT, Member
from app.lib.realtime.local import LocalChannel, Subscriber, Subscription
from app.lib.realtime.log import ChannelState, EventLog
from app.lib.realtime.node import Node
from app.lib.realtime.publishing import Publishing

log = structlog.stdlib.get_logger(__name__)

_PATIENCE = 5.0
_TICK = 0.01


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """Where a subscription begins; see :class:`.frames.Subscribed`."""

    last_id: int
    recovered: bool
    missed: int | None
    presence: list[Member]


Admit = Callable[[], Awaitable[Member | None]]
"""Asks whether somebody may listen, and raises when not; returns how the others see them, if they are to."""


class Beginnings:
    """Begins subscriptions; ``count`` is of replayed events since the start."""

    def __init__(self, event_log: EventLog, follower: Follower, node: Node, publishing: Publishing) -> None:
        self.count = 0
        self._log = event_log
        self._follower = follower
        self._node = node
        self._publishing = publishing

    async def begin(
        self,
        local: LocalChannel,
        subscriber: Subscriber,
        since: int | None,
        admit: Admit,
        greet: Callable[[Greeting], None],
    ) -> tuple[Subscription, list[StoredEvent]]:
        """The subscription, greeted and not yet live, and the first of what it has missed."""
        access_version = local.access_version
        member = await admit()
        joined = member is not None and subscriber.id not in local.subscriptions
        if member is not None and joined:
            await self._node.join((subscriber.id, local.name), member)
        try:
            missed = await self._missed(local, since)
        except BaseException:
            if joined:
                self._node.leave((subscriber.id, local.name))
            raise
        # No await from here to the greeting: nothing can come in between.
        greeting, position = _greeting(local, since, missed)
        if (before := local.subscriptions.get(subscriber.id)) is not None:
            before.is_over = True
        subscription = local.subscriptions[subscriber.id] = Subscription(subscriber, position, member)
        local.show_presence(but=subscription)
        presence = list(local.shown.values()) if member is not None else []
        greet(msgspec.structs.replace(greeting, presence=presence))
        if access_version != local.access_version:
            subscriber.access_changed(local.name)
        return subscription, missed if position < local.last_id else []

    async def replay(self, local: LocalChannel, subscription: Subscription, rows: list[StoredEvent]) -> str | None:
        """Hands over what was missed. Returns when it is live or over, or the reason why it has to end."""
        try:
            while not subscription.is_over and subscription.position != local.last_id:
                if subscription.position > local.last_id:
                    await self._come_up(local, subscription.position)
                    continue
                rows = rows or await self._log.after(local.name, subscription.position)
                if not await self._hand_over(subscription, rows):
                    return "lost"
                rows = []
        except Exception as exc:
            log.warning("realtime.replay_failed", error=type(exc).__name__, exc_info=bug_in(exc))
            return "unavailable"
        subscription.is_live = True
        return None

    async def _missed(self, local: LocalChannel, since: int | None) -> list[StoredEvent]:
        """The first of the events after ``since``; nothing where they are too many."""
        if since is None:
            return []
        if since > local.last_id:  # another worker may be ahead of us, by a hint
            known = local.last_id
            states = await self._log.states([local.name])
            self._follower.observe(local, states.get(local.name, ChannelState(local.name)), known)
        if not 0 < local.last_id - since <= REPLAY_LIMIT:
            return []
        return await self._log.after(local.name, since)

    async def _come_up(self, local: LocalChannel, position: int) -> None:
        """What the subscriber has seen elsewhere is on its way to us. Raises ``TimeoutError``."""
        async with asyncio.timeout(_PATIENCE):
            while position > local.last_id:  # noqa: ASYNC110 - rare and short; an event would cost each delivery
                await asyncio.sleep(_TICK)

    async def _hand_over(self, subscription: Subscription, rows: list[StoredEvent]) -> bool:
        """False when some of them are gone from the log: the subscriber was too slow."""
        for row in rows:
            if row.id != subscription.position + 1:
                return False
            await subscription.subscriber.has_room()
            if subscription.is_over:
                return True
            self._publishing.acknowledge(row.key, row.id)
            subscription.hand(row.delivery)
            self.count += 1
        return bool(rows)


def _greeting(local: LocalChannel, since: int | None, missed: Sequence[StoredEvent]) -> tuple[Greeting, int]:
    """And from where on events are delivered."""
    last_id = local.last_id
    if since is None or since == last_id:
        return Greeting(last_id=last_id, recovered=True, missed=0, presence=[]), last_id
    if since > last_id:
        if since <= local.target:
            return Greeting(last_id=since, recovered=True, missed=0, presence=[]), since
        return Greeting(last_id=last_id, recovered=False, missed=None, presence=[]), last_id
    count = last_id - since
    if count <= REPLAY_LIMIT and missed and missed[0].id == since + 1:
        return Greeting(last_id=last_id, recovered=True, missed=count, presence=[]), since
    return Greeting(last_id=last_id, recovered=False, missed=count, presence=[]), last_id
