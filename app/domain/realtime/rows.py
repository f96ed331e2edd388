"""Rows that are read but never sent as they are."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.realtime.dtos import MemberRole


class Standing(msgspec.Struct, frozen=True):
    """What a user is to a room."""

    is_member: bool
    is_invited: bool


class RoomAccess(msgspec.Struct, frozen=True):
    """Of a room that the viewer sees."""

    is_member: bool
    owner_id: UUID | None
    closed_at: datetime | None


class MemberRow(msgspec.Struct, frozen=True):
    user_id: UUID
    role: MemberRole
    joined_at: datetime


class InvitationRow(msgspec.Struct, frozen=True):
    user_id: UUID
    invited_by: UUID | None
    created_at: datetime
