"""What happens to accounts."""

from uuid import UUID

from app.lib.events import Event, Hint, event


@event("user.registered")
class UserRegistered(Event, frozen=True, kw_only=True):
    """A user was created: by registering, or by an administrator, who then has to let them know."""

    by_administrator: bool = False


@event("user.updated")
class UserUpdated(Event, frozen=True, kw_only=True):
    """A user was changed: names, address, flags or roles."""


@event("user.deactivated")
class UserDeactivated(Event, frozen=True, kw_only=True):
    """A user may not sign in any more."""


@event("user.deleted")
class UserDeleted(Event, frozen=True, kw_only=True):
    """A user is deleted; published before the row goes, while its relations can still be read."""


@event("user.password_changed")
class PasswordChanged(Event, frozen=True, kw_only=True):
    """A user has another password, so all their sessions have to end."""


@event("role.updated")
class RoleUpdated(Event, frozen=True, kw_only=True):
    """What a role allows, or its name, has changed for everyone who has it."""


@event("role.deleted")
class RoleDeleted(Event, frozen=True, kw_only=True):
    """A role is gone, for everyone who had it."""


@event("profile.updated")
class ProfileUpdated(Hint, frozen=True, kw_only=True):
    """The public sees this user otherwise now."""

    user_id: UUID
