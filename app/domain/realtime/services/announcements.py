"""What the service itself publishes about rooms."""

from typing import Any
from uuid import UUID

import msgspec

from app.domain.realtime.models import Room
from app.domain.realtime.names import room_channel, user_channel
from app.lib.realtime.channels import NewEvent

ROOM_UPDATED = "room.updated"
ROOM_CLOSED = "room.closed"
ROOM_JOINED = "room.joined"
ROOM_LEFT = "room.left"
ROOM_INVITED = "room.invited"


def room_event(room: Room, event: str, user_id: UUID | None = None) -> NewEvent:
    """An event of the room's channel, about one of its members if named."""
    return NewEvent(channel=room_channel(room.id), event=event, data=_encode(room, user_id=user_id))


def invitation_event(room: Room, user_id: UUID, invited_by: UUID) -> NewEvent:
    """An event of the invited person's own channel, because they do not listen to the room's yet."""
    data = _encode(room, user_id=user_id, invited_by=invited_by)
    return NewEvent(channel=user_channel(user_id), event=ROOM_INVITED, data=data)


def _encode(room: Room, **people: UUID | None) -> bytes:
    data: dict[str, Any] = {"room_id": room.id, "name": room.name, "version": room.version}
    return msgspec.json.encode(data | {key: value for key, value in people.items() if value is not None})
