"""Rows that are read but never sent as they are."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.realtime.dtos import MemberRole
from app.lib.pagination.envelope import Page


class Standing(msgspec.Struct, frozen=True):
    """What a user is to a room; ``role`` None is not a member."""

    role: MemberRole | None
    is_invited: bool


class RoomAccess(msgspec.Struct, frozen=True):
    """Of a room that the viewer sees, and their role in it."""

    role: MemberRole | None
    closed_at: datetime | None


class MemberRow(msgspec.Struct, frozen=True):
    user_id: UUID
    role: MemberRole
    joined_at: datetime


class MemberRowPage(Page[MemberRow], frozen=True, kw_only=True):
    pass


class InvitationRow(msgspec.Struct, frozen=True):
    user_id: UUID
    invited_by: UUID | None
    created_at: datetime


class InvitationRowPage(Page[InvitationRow], frozen=True, kw_only=True):
    pass


class MessageRow(msgspec.Struct, frozen=True):
    id: int
    event: str
    data: str
    sender_id: UUID | None
    created_at: datetime


class MessageRowPage(Page[MessageRow], frozen=True, kw_only=True):
    pass
