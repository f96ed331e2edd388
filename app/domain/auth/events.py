"""What happens to sessions."""

from uuid import UUID

import msgspec

from app.lib.outbox import Event, event


class SignedIn(msgspec.Struct, frozen=True):
    user_id: UUID
    session_id: UUID


class RegisteredAgain(msgspec.Struct, frozen=True):
    """Somebody, perhaps the owner, registered with the address of this account; they were not told that it has one."""

    user_id: UUID


class TokenReuseDetected(msgspec.Struct, frozen=True):
    """The owner of the session should be told."""

    user_id: UUID
    session_id: UUID


class SessionsEnded(msgspec.Struct, frozen=True):
    """A signal to this process's caches; ``session_id`` None is all of the user's."""

    user_id: UUID
    session_id: UUID | None = None


@event("user.registered_again")
class RegistrationRepeated(Event, frozen=True, kw_only=True):
    """Told after the commit: :class:`RegisteredAgain`. It changes nothing of the account, so its version is 0."""
