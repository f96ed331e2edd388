"""What happens to accounts.

Domains above listen to the first part in the same transaction; the second part is told after the commit.
"""

from uuid import UUID

import msgspec

from app.lib.outbox import Event, event


class UserRegistered(msgspec.Struct, frozen=True):
    """Somebody made an account for themselves."""

    user_id: UUID


class UserCreated(msgspec.Struct, frozen=True):
    """Somebody else made an account for them, who may not know of it yet."""

    user_id: UUID


class UserUpdated(msgspec.Struct, frozen=True):
    """The account reads differently now; ``version`` is the new one."""

    user_id: UUID
    version: int


class UserDeactivated(msgspec.Struct, frozen=True):
    user_id: UUID


class UserDeleted(msgspec.Struct, frozen=True):
    """Told before the row goes, while its relations can still be read."""

    user_id: UUID
    version: int


class PasswordChanged(msgspec.Struct, frozen=True):
    """``kept_session_id`` is the session that made the change, if one did; all others have to end."""

    user_id: UUID
    kept_session_id: UUID | None = None


class AccessChanged(msgspec.Struct, frozen=True):
    """What a user may do has changed; ``user_id`` is None when a role changed, and with it any number of users."""

    user_id: UUID | None = None


class ProfileChanged(msgspec.Struct, frozen=True):
    """A signal after the commit: the public sees somebody otherwise now, or no more."""

    user_id: UUID


@event("user.registered")
class AccountRegistered(Event, frozen=True, kw_only=True):
    """Somebody has an account, by their own doing or an administrator's."""


@event("user.updated")
class AccountUpdated(Event, frozen=True, kw_only=True):
    """An account was changed: names, address, flags or roles."""


@event("user.deleted")
class AccountDeleted(Event, frozen=True, kw_only=True):
    """An account is gone."""
