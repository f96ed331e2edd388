from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from app.domain.accounts.dtos import PermissionCode
from app.lib.pagination.envelope import Page
from app.lib.wire.dto import Input, Output
from app.lib.wire.fields import Name

MAX_KEYS = 50
"""That a user has at a time."""

Scopes = Annotated[
    list[PermissionCode],
    Meta(max_length=200, description="Permissions: the key has those of them that its user holds at the time."),
]


_KeyName = Annotated[Name, Meta(examples=["Nightly import"])]


class ApiKeyCreate(Input):
    """A new API key."""

    name: _KeyName
    scopes: Scopes = msgspec.field(default_factory=list)
    expires_in_days: Annotated[int, Meta(ge=1, le=365)] = 90


class ApiKeyRead(Output):
    """An API key that is good, without its secret."""

    id: UUID
    name: _KeyName
    scopes: Scopes
    created_at: datetime
    expires_at: datetime
    last_used_at: Annotated[datetime, Meta(description="To the minute.")] | None


class ApiKeyWithSecret(ApiKeyRead):
    """A new API key with its secret, which is shown this once."""

    key: Annotated[str, Meta(max_length=100, examples=["ldk_4fGc1XqzR8mWb0YtLh2KpVnA7sUeD9oJi3TxQ5rZgByM0a2b3C"])]


class ApiKeyPage(Page[ApiKeyRead], frozen=True, kw_only=True):
    """The API keys of a user, the newest first; 50 at most."""
