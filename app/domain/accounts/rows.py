"""Rows that are read and not sent as they are."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.accounts.dtos import ProfileRead, PublicProfile
from app.lib.wire.dto import project


class CredentialRow(msgspec.Struct, frozen=True):
    """What a sign-in reads of a user, a change of the password, and a mail with a link."""

    id: UUID
    email: str
    username: str | None
    name: str | None
    locale: str
    password_hash: str
    is_active: bool
    is_verified: bool


class HoldRow(msgspec.Struct, frozen=True):
    """A username that is kept for a user."""

    username_key: str
    user_id: UUID


def public_name(first_name: str | None, last_name: str | None, name: str | None) -> str | None:
    """First and last name, else the user's name; never the address."""
    return " ".join(part for part in (first_name, last_name) if part) or name


class PersonRow(msgspec.Struct, frozen=True):
    """A profile with the columns of its user that make the full name."""

    user_id: UUID
    email: str
    username: str | None
    name: str | None
    first_name: str | None
    last_name: str | None
    bio: str | None
    avatar_url: str | None
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def public_name(self) -> str | None:
        return public_name(self.first_name, self.last_name, self.name)

    def to_read(self, *, own: bool) -> ProfileRead:
        """The whole profile. Without a name, only the owner sees the e-mail address as the full name."""
        return project(ProfileRead, self, full_name=self.public_name or (self.email if own else None))

    def to_public(self) -> PublicProfile:
        """The profile as the public sees it."""
        return project(PublicProfile, self, full_name=self.public_name)
