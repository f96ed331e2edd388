"""What happens to accounts."""

from uuid import UUID

import msgspec

from app.lib.events import Event, Hint, event


@event("user.registered")
class UserRegistered(Event, frozen=True, kw_only=True):
    """A user was created: by registering, or by an administrator, who then has to let them know."""

    by_administrator: bool = False


@event("user.updated")
class UserUpdated(Event, frozen=True, kw_only=True):
    """A user was changed: names, address, flags, metadata or roles."""


@event("user.address_replaced")
class AddressReplaced(Hint, frozen=True, kw_only=True):
    """An administrator gave a user another address."""

    user_id: UUID
    former: str
    was_confirmed: bool


@event("user.deactivated")
class UserDeactivated(Event, frozen=True, kw_only=True):
    """A user may not sign in any more."""


@event("user.deleted")
class UserDeleted(Event, frozen=True, kw_only=True):
    """A user is deleted; published before the row goes, while its relations can still be read."""


@event("user.erasing")
class UserErasing(Hint, frozen=True, kw_only=True):
    """Asks listeners in the transaction to delete a batch of what belongs to a deleted user. It is published in the
    transaction of the deletion, and by a job again and again while any of them calls :meth:`more_is_left`.
    """

    user_id: UUID
    _left: list[None] = msgspec.field(default_factory=list)

    def more_is_left(self) -> None:
        """To be called by a listener that has deleted a full batch."""
        self._left.append(None)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left."""
        return not self._left


@event("user.password_changed")
class PasswordChanged(Event, frozen=True, kw_only=True):
    """A user has another password, so all their sessions have to end. With ``is_recovery`` it was not given by one who
    knew the current one: the account may have been in other hands, so their API keys have to end, too. With
    ``is_taken_back`` it was: its owner has shown by mail who they are, and nothing that was a way in is one any more,
    because a stranger may have made it, at any time.
    """

    is_recovery: bool = False
    is_taken_back: bool = False


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
