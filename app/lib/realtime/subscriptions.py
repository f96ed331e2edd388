"""A channel as this process knows it, and its subscribers here. Nothing in this module waits."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

from app.lib.db.base import new_id
from app.lib.realtime.channels import ChannelKind, Member
from app.lib.realtime.frames import Event, Presence, encode_frame
from app.lib.realtime.sockets import Socket


class Subscription:
    """One subscriber of one channel: everything up to ``position`` has been delivered. With a ``member`` it is a
    presence, too.

    While it is behind its channel it reads the log at its own pace; then the hub delivers to it.
    """

    __slots__ = ("id", "member", "position", "socket")

    def __init__(self, socket: Socket, member: Member | None) -> None:
        self.id = new_id()
        self.socket = socket
        self.member = member
        self.position = 0

    def deliver(self, event: Event, text: str) -> None:
        """The next event."""
        self.position = event.id
        self.socket.send(event, text)


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

    def has(self, subscription: Subscription) -> bool:
        """Whether the subscription has not ended, and was not replaced by another of its socket."""
        return self.subscriptions.get(subscription.socket.id) is subscription

    @property
    def members(self) -> dict[UUID, Member]:
        """Who is present by subscribers here."""
        return {each.member.id: each.member for each in self.subscriptions.values() if each.member is not None}

    def deliver(self, event: Event) -> int:
        """Delivers the next event. Returns to how many subscribers."""
        self.last_id = event.id
        text = encode_frame(event)
        live = [each for each in self.subscriptions.values() if each.position == event.id - 1]
        for each in live:
            each.deliver(event, text)
        if self.kind is not None and event.event == self.kind.last_event:
            for each in tuple(self.subscriptions.values()):
                each.socket.context.detach(each.socket, self.name, "not_found")
        elif self.kind is not None and self.kind.revoked_user is not None:
            user_id = self.kind.revoked_user(event.event, bytes(event.data))
            if user_id is not None:
                self.revocations += 1
                for each in tuple(self.subscriptions.values()):
                    if each.socket.user_id == user_id:
                        each.socket.context.check_again(each.socket, [self.name])
        return len(live)

    def show_join(self, subscription: Subscription) -> None:
        """Shows the other subscribers who has come."""
        member = subscription.member
        if member is not None and member.id not in self.shown:
            self.shown[member.id] = member
            self._show(Presence(channel=self.name, join=[member], leave=[]), but=subscription)

    def show_presence(self, present: Mapping[UUID, Member]) -> None:
        """Shows all subscribers who has come and gone since the last time. Those who came here since ``present`` was
        read are not in it.
        """
        now = {**present, **self.members}
        joined = [member for key, member in now.items() if key not in self.shown]
        left = [member for key, member in self.shown.items() if key not in now]
        self.shown = now
        if joined or left:
            self._show(Presence(channel=self.name, join=joined, leave=left))

    def _show(self, frame: Presence, but: Subscription | None = None) -> None:
        text = encode_frame(frame)
        for each in tuple(self.subscriptions.values()):
            if each is not but:
                each.socket.send(frame, text)
