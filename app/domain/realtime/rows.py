"""Rows that are read but never sent as they are."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.accounts.rows import public_name
from app.domain.realtime.dtos import (
    InvitationRead,
    MemberRead,
    MemberRole,
    MessageRead,
    PersonRead,
    RoomRead,
    Visibility,
)
from app.lib.pagination.envelope import Page
from app.lib.wire.dto import project


class Standing(msgspec.Struct, frozen=True):
    """What a user is to a room; ``role`` None is not a member."""

    role: MemberRole | None
    is_invited: bool


class RoomRow(msgspec.Struct, frozen=True):
    """A room, and what the viewer is to it."""

    id: UUID
    name: str
    title: str | None
    visibility: Visibility
    owner_id: UUID | None
    closed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    role: MemberRole | None
    is_invited: bool

    @property
    def standing(self) -> Standing:
        """Of the viewer."""
        return Standing(self.role, self.is_invited)

    def to_read(self) -> RoomRead:
        """The room alone."""
        return project(RoomRead, self)


class PersonColumns(msgspec.Struct, frozen=True):
    """The base of rows about a person; all None where the account is gone."""

    user_id: UUID | None
    is_active: bool | None
    name: str | None
    first_name: str | None
    last_name: str | None

    @property
    def person(self) -> PersonRead | None:
        """As others see them; None where the account is gone."""
        if self.user_id is None:
            return None
        name = public_name(self.first_name, self.last_name, self.name) if self.is_active else None
        return PersonRead(id=self.user_id, name=name)

    @property
    def existing_person(self) -> PersonRead:
        """The same where a foreign key says that the account is there."""
        person = self.person
        assert person is not None, "an inner join gave no person"  # noqa: S101 - tells type checkers what the key says
        return person


class MemberRow(PersonColumns, frozen=True):
    role: MemberRole
    joined_at: datetime

    def to_read(self) -> MemberRead:
        return MemberRead(user=self.existing_person, role=self.role, joined_at=self.joined_at)


class MemberRowPage(Page[MemberRow], frozen=True, kw_only=True):
    pass


class InvitationRow(PersonColumns, frozen=True):
    invited_by: UUID | None
    created_at: datetime

    def to_read(self) -> InvitationRead:
        return InvitationRead(user=self.existing_person, invited_by=self.invited_by, created_at=self.created_at)


class InvitationRowPage(Page[InvitationRow], frozen=True, kw_only=True):
    pass


class MessageRow(PersonColumns, frozen=True):
    id: int
    event: str
    data: str
    created_at: datetime

    def to_read(self) -> MessageRead:
        data = msgspec.Raw(self.data.encode())
        return MessageRead(id=self.id, event=self.event, data=data, sender=self.person, sent_at=self.created_at)


class MessageRowPage(Page[MessageRow], frozen=True, kw_only=True):
    pass
