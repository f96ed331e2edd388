"""What happens to rooms."""

from uuid import UUID

import msgspec

from app.lib.outbox import Event, event


class MembershipChanged(msgspec.Struct, frozen=True):
    """A signal to this process: what somebody may do in a channel has changed."""

    channel: str
    user_id: UUID


class RoomEvent(Event, frozen=True, kw_only=True):
    """The base of events of rooms."""

    name: str


@event("room.updated")
class RoomUpdated(RoomEvent, frozen=True, kw_only=True):
    """Title, visibility or owner are others now."""


@event("room.closed")
class RoomWasClosed(RoomEvent, frozen=True, kw_only=True):
    """Nobody joins or publishes any more."""


class RoomPersonEvent(RoomEvent, frozen=True, kw_only=True):
    """The base of what happens to somebody in a room."""

    user_id: UUID


@event("room.joined")
class RoomJoined(RoomPersonEvent, frozen=True, kw_only=True):
    """Somebody is a member now."""


@event("room.left")
class RoomLeft(RoomPersonEvent, frozen=True, kw_only=True):
    """Somebody is no member any more, by themselves, removed, or because their account is gone."""


@event("room.invited")
class RoomInvited(RoomPersonEvent, frozen=True, kw_only=True):
    """Somebody may join."""
