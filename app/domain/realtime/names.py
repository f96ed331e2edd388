"""What rooms and channels are called, and how they are referred to."""

import re
from typing import Final
from uuid import UUID

ROOM_NAME: Final = "^[a-z0-9][a-z0-9_.-]*$"
_REFERENCE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def looks_like_id(text: str) -> bool:
    """Whether it could be taken for an id."""
    return _ID.fullmatch(text) is not None


def looks_like_room(text: str) -> bool:
    """Whether a room may have this name."""
    return _REFERENCE.fullmatch(text) is not None and not looks_like_id(text)


def read_reference(reference: str) -> UUID | str | None:
    """The id or name that somebody refers to a room by; None for what can be neither."""
    if not _REFERENCE.fullmatch(reference):
        return None
    return UUID(reference) if looks_like_id(reference) else reference


def room_channel(name: str) -> str:
    """The channel of a room."""
    return f"room:{name}"


def user_channel(user_id: UUID) -> str:
    """What one person alone is told."""
    return f"user:{user_id}"
