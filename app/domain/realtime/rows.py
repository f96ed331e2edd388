"""Rows that are read but never sent as they are."""

from datetime import datetime
from uuid import UUID

import msgspec


class Standing(msgspec.Struct, frozen=True):
    """What a user is to a room."""

    is_member: bool
    is_invited: bool


class RoomAccess(msgspec.Struct, frozen=True):
    """Of a room that the viewer sees."""

    is_member: bool
    owner_id: UUID | None
    closed_at: datetime | None
