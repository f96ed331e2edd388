"""An event on its way: as it is published, and as it is delivered."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from uuid import UUID

import msgspec
from msgspec import Raw

from app.lib.realtime.frames import Event, encode_frame

Acknowledge = Callable[[int], None]


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """To be published. ``data`` is JSON, already encoded, and is never encoded again.

    With a ``key`` it is published once per channel and sender, however often it is tried, for as long as the event is
    kept. ``sender`` is None for what the service itself publishes.
    """

    channel: str
    event: str
    data: bytes
    sender: UUID | None = None
    key: str | None = None


class Delivery:
    """A stored event, shared by all sockets of a process: its frame is encoded once."""

    def __init__(self, channel: str, event_id: int, key: UUID, frame: str) -> None:
        self.channel = channel
        self.id = event_id
        self.key = key
        self.frame = frame
        """The ``event`` frame, as sockets send it."""

    @classmethod
    def of(cls, event: Event, key: UUID) -> "Delivery":
        """Encodes the frame."""
        return cls(event.channel, event.id, key, encode_frame(event))

    @cached_property
    def event(self) -> Event:
        """Decoded once, for those that show something else than the frame."""
        return msgspec.json.decode(self.frame, type=Event)


class StoredEvent(msgspec.Struct, frozen=True):
    """A row of the log."""

    channel: str
    id: int
    event: str
    data: str
    sender_id: UUID | None
    key: UUID
    created_at: datetime

    @property
    def delivery(self) -> Delivery:
        """What sockets get."""
        frame = Event(
            channel=self.channel,
            id=self.id,
            event=self.event,
            data=Raw(self.data.encode()),
            at=self.created_at,
            sender=self.sender_id,
        )
        return Delivery.of(frame, self.key)


class LostSocket(msgspec.Struct, frozen=True):
    """A socket that is gone, and what was known of it."""

    id: UUID
    user_id: UUID
    kind: str
    label: str | None


Farewell = Callable[[LostSocket], NewEvent | None]
"""What is published when a socket is gone, in the transaction that removes its row: so it is said exactly once,
by whoever removes it, also when its worker was killed."""
