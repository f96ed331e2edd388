"""Rows that are read and not sent as they are."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import JSON, Dialect, TypeDecorator

from app.domain.accounts.dtos import PersonRead


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


class JoinedPerson(TypeDecorator[PersonRead | None]):
    """The result of ``person_of``."""

    impl = JSON
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> PersonRead | None:
        """Makes a person of what the database put together."""
        return None if value is None else PersonRead(UUID(value[0]), *value[1:])
