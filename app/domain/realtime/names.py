"""Names of rooms and channels, and the limits of rooms."""

from typing import Final
from uuid import UUID

MAX_MEMBERS = 1_000
"""Of a room: all of them get every message of it."""
MAX_INVITATIONS = 1_000
"""Of a room, that are still open."""
MAX_OWNED = 100
"""Open rooms of one owner."""
MAX_CREATED = 100
"""Rooms that a user creates within a day: closed ones stay, with their messages."""
MAX_ROOM_NAME = 64

MESSAGE_UPDATED: Final = "room.message_updated"
MESSAGE_DELETED: Final = "room.message_deleted"

ROOM_NAME: Final = "^[a-z0-9][a-z0-9_.-]*$"


def room_channel(room_id: UUID) -> str:
    """The channel of a room."""
    return f"room:{room_id}"


def user_channel(user_id: UUID) -> str:
    """The channel of one person alone."""
    return f"user:{user_id}"
