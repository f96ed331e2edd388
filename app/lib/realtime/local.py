"""A channel as this process knows it. Nothing here waits."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol
from uuid import UUID

from app.lib.realtime.events import Delivery
from app.lib.realtime.frames import Member, Presence, encode_frame

MAX_AHEAD = 512


class Subscriber(Protocol):
    """Somebody who listens. Its methods are called in the event loop, and all but one neither wait nor fail."""

    @property
    def id(self) -> UUID:
        """Of the socket."""
        ...

    @property
    def user_id(self) -> UUID:
        """Whose it is."""
        ...

    def deliver(self, delivery: Delivery) -> None:
        """An event of a channel, in order."""
        ...

    def show_presence(self, frame: Presence, text: str) -> None:
        """Others came or went; ``text`` is the frame encoded."""
        ...

    async def has_room(self) -> None:
        """Returns once more can be delivered without being too much; for what is replayed, which may be large."""
        ...

    def access_changed(self, channel: str) -> None:
        """Rights have changed: ask the gate again, and detach when it says no."""
        ...

    def ended(self, channel: str, reason: str) -> None:
        """The subscription is over although nobody asked for it."""
        ...


class Subscription:
    """One subscriber of one channel: everything up to ``position`` has been delivered.

    Until it is ``live`` it reads the log at its own pace; from then on events come by themselves.
    """

    __slots__ = ("is_live", "is_over", "member", "position", "subscriber")

    def __init__(self, subscriber: Subscriber, position: int, member: Member | None) -> None:
        self.subscriber = subscriber
        self.position = position
        self.member = member
        self.is_live = False
        self.is_over = False

    def hand(self, delivery: Delivery) -> None:
        """The next event."""
        self.position = delivery.id
        self.subscriber.deliver(delivery)


class LocalChannel:
    """Everything up to ``last_id`` has been delivered to those who listen here; ``target`` is known to exist."""

    def __init__(self, name: str, before_delivery: Callable[[Delivery, int], None]) -> None:
        self.name = name
        self.last_id = self.target = 0
        self.presence_version = self.presence_wanted = self.access_version = 0
        self.is_open = False
        self.pins = 0
        """How many are about to subscribe; the channel stays for them."""
        self.subscriptions: dict[UUID, Subscription] = {}
        self.remote: Mapping[UUID, Member] = {}
        """Who is present by sockets of other processes."""
        self.shown: dict[UUID, Member] = {}
        self.opening: asyncio.Task[None] | None = None
        self.following: asyncio.Task[None] | None = None
        self.looking: asyncio.Task[None] | None = None
        self._ahead: dict[int, Delivery] = {}
        self._before_delivery = before_delivery

    @property
    def is_behind(self) -> bool:
        """Whether there is something that was not delivered."""
        return self.last_id < self.target

    @property
    def holds_some(self) -> bool:
        """Whether something has come before its turn."""
        return bool(self._ahead)

    def offer(self, event_id: int, delivery: Delivery | None) -> None:
        """News of an event, with or without its body: it is delivered now, or when its turn comes, or not again."""
        if self.is_open and event_id <= self.last_id:
            return
        self.target = max(self.target, event_id)
        if delivery is not None and len(self._ahead) < MAX_AHEAD:
            self._ahead[event_id] = delivery
        if self.is_open:
            self.drain()

    def drain(self) -> None:
        """Delivers what has come before its turn, and whose turn it is now."""
        while (delivery := self._ahead.pop(self.last_id + 1, None)) is not None:
            self._deliver(delivery)
        if self._ahead and not self.is_behind:
            self._ahead.clear()

    def open_at(self, last_id: int) -> None:
        """Begins with what comes after this id."""
        self.last_id = last_id
        self.target = max(self.target, last_id)
        for event_id in [each for each in self._ahead if each <= last_id]:
            del self._ahead[event_id]
        self.is_open = True
        self.drain()

    def skip_to(self, last_id: int) -> None:
        """What is in between will never come."""
        self.last_id = self.target = last_id
        self._ahead.clear()

    def _deliver(self, delivery: Delivery) -> None:
        self.last_id = delivery.id
        self._before_delivery(delivery, len(self.subscriptions))
        for subscription in tuple(self.subscriptions.values()):
            if subscription.is_live:
                subscription.hand(delivery)

    def show_presence(self, but: Subscription | None = None) -> None:
        """Tells all subscribers (but one) who has come and gone since the last time."""
        here = {each.member.id: each.member for each in self.subscriptions.values() if each.member is not None}
        now = {**self.remote, **here}
        joined = [member for key, member in now.items() if key not in self.shown]
        left = [member for key, member in self.shown.items() if key not in now]
        self.shown = now
        if not joined and not left:
            return
        frame = Presence(channel=self.name, join=joined, leave=left)
        text = encode_frame(frame)
        for subscription in tuple(self.subscriptions.values()):
            if subscription is not but:
                subscription.subscriber.show_presence(frame, text)
