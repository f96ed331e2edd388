"""A channel as this process knows it, and its subscribers here. Nothing in this module waits."""

import asyncio
from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from app.lib.db.base import new_id
from app.lib.realtime.channels import ChannelKind, Member
from app.lib.realtime.frames import Event, Presence, Subscribed, encode_frame


class Subscriber(Protocol):
    """A socket, as the hub sees it. Its methods are called in the event loop.

    ``admit`` checks whether it may listen, and raises when not; returns how the others see it, if they do.
    ``has_room`` waits until more can be delivered. The ``text`` is the frame, encoded. ``access_changed``: rights may
    have changed, so check them again; ``ended``: the service has ended the subscription.
    """

    @property
    def id(self) -> UUID: ...
    @property
    def user_id(self) -> UUID: ...

    async def admit(self, channel: str) -> Member | None: ...
    def subscribed(self, frame: Subscribed, since: int | None) -> None: ...
    def deliver(self, event: Event, text: str) -> None: ...
    def show_presence(self, frame: Presence, text: str) -> None: ...
    async def has_room(self) -> None: ...
    def access_changed(self, channel: str) -> None: ...
    def ended(self, channel: str, reason: str) -> None: ...


class Subscription:
    """One subscriber of one channel: everything up to ``position`` has been delivered. With a ``member`` it is a
    presence, too.

    Until it is ``live`` it reads the log at its own pace; from then on the hub delivers to it.
    """

    __slots__ = ("id", "is_live", "is_over", "member", "position", "subscriber")

    def __init__(self, subscriber: Subscriber, member: Member | None) -> None:
        self.id = new_id()
        self.subscriber = subscriber
        self.member = member
        self.position = 0
        self.is_live = False
        self.is_over = False

    def deliver(self, event: Event, text: str) -> None:
        """The next event."""
        self.position = event.id
        self.subscriber.deliver(event, text)


class LocalChannel:
    """Everything up to ``last_id`` has been delivered here; events up to ``target`` are known to exist."""

    def __init__(self, name: str, kind: ChannelKind | None) -> None:
        self.name = name
        self.kind = kind
        self.last_id = self.target = 0
        self.is_open = False
        self.opening = asyncio.Lock()
        self.attaching = 0
        """Subscribers that are about to attach; the channel stays open for them."""
        self.revocations = 0
        self.subscriptions: dict[UUID, Subscription] = {}
        self.shown: dict[UUID, Member] = {}
        """Members who are present, as subscribers were shown."""

    @property
    def is_behind(self) -> bool:
        """Whether there is something that was not delivered."""
        return self.is_open and self.last_id < self.target

    @property
    def members(self) -> dict[UUID, Member]:
        """Who is present by subscribers here."""
        return {each.member.id: each.member for each in self.subscriptions.values() if each.member is not None}

    def deliver(self, event: Event) -> int:
        """Delivers the next event. Returns to how many subscribers."""
        self.last_id = event.id
        text = encode_frame(event)
        live = [each for each in self.subscriptions.values() if each.is_live and each.position < event.id]
        for each in live:
            each.deliver(event, text)
        if self.kind is not None and self.kind.revoked_user is not None:
            user_id = self.kind.revoked_user(event.event, bytes(event.data))
            if user_id is not None:
                self.revocations += 1
                for each in tuple(self.subscriptions.values()):
                    if each.subscriber.user_id == user_id:
                        each.subscriber.access_changed(self.name)
        return len(live)

    def show_join(self, subscription: Subscription) -> None:
        """Shows the other subscribers who has come."""
        member = subscription.member
        if member is not None and member.id not in self.shown:
            self.shown[member.id] = member
            self._show(Presence(channel=self.name, join=[member], leave=[]), but=subscription)

    def show_presence(self, elsewhere: Mapping[UUID, Member]) -> None:
        """Shows all subscribers who has come and gone since the last time. Members who moved to another process did
        neither, so those who have left this one since ``elsewhere`` was read must be in it.
        """
        now = {**elsewhere, **self.members}
        joined = [member for key, member in now.items() if key not in self.shown]
        left = [member for key, member in self.shown.items() if key not in now]
        self.shown = now
        if joined or left:
            self._show(Presence(channel=self.name, join=joined, leave=left))

    def _show(self, frame: Presence, but: Subscription | None = None) -> None:
        text = encode_frame(frame)
        for each in tuple(self.subscriptions.values()):
            if each is not but:
                each.subscriber.show_presence(frame, text)
