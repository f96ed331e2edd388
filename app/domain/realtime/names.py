"""Names of rooms and channels, and the limits of rooms."""

import re
from typing import Final
from uuid import UUID

MAX_MEMBERS = 1_000
"""Of a room: all of them get every message of it."""
MAX_INVITATIONS = 1_000
"""Of a room, that are still open."""
MAX_OWNED = 100
"""Open rooms of one owner."""
MAX_ROOM_NAME = 64

ROOM_NAME: Final = "^[a-z0-9][a-z0-9_.-]*$"
_REFERENCE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def looks_like_id(text: str) -> bool:
    """Whether a text could be an id."""
    return _ID.fullmatch(text) is not None


def parse_reference(reference: str) -> UUID | str | None:
    """The id or the name of a room; None for a text that can be neither."""
    if not _REFERENCE.fullmatch(reference):
        return None
    return UUID(reference) if looks_like_id(reference) else reference


def room_channel(name: str) -> str:
    """The channel of a room."""
    return f"room:{name}"


def user_channel(user_id: UUID) -> str:
    """The channel of one person alone."""
    return f"user:{user_id}"
