"""What happens to sessions, and to registrations."""

from enum import StrEnum
from uuid import UUID

import msgspec

from app.domain.accounts.events import (
    PasswordChanged,
    RoleDeleted,
    RoleUpdated,
    UserDeactivated,
    UserDeleted,
    UserUpdated,
)
from app.lib.events import Event, Hint, event


@event("user.registered_again")
class RegisteredAgain(Event, frozen=True, kw_only=True):
    """A registration, perhaps by the owner, named the address of this user; the answer did not say that it is taken.

    It changes nothing of the user, so the version is 0.
    """


@event("user.email_verified")
class EmailVerified(Event, frozen=True, kw_only=True):
    """A user has shown for the first time that their address is theirs. What changes of the user is in ``UserUpdated``,
    so the version is 0.
    """


class FactorChange(StrEnum):
    """What has changed of a user's second factors. Also the kind of the audit log, after ``mfa.``."""

    TOTP_ADDED = "totp_added"
    TOTP_REMOVED = "totp_removed"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
    RECOVERY_CODE_USED = "recovery_code_used"
    TURNED_OFF = "turned_off"


@event("user.second_factor_changed")
class SecondFactorChanged(Event, frozen=True, kw_only=True):
    """It changes nothing of the user, so the version is 0."""

    change: FactorChange
    codes_left: int


@event("user.second_factor_refused")
class SecondFactorRefused(Event, frozen=True, kw_only=True):
    """There were many wrong codes after the right password. It changes nothing of the user, so the version is 0."""


@event("user.ways_in")
class WaysIn(Hint, frozen=True, kw_only=True):
    """Asks listeners in the transaction whether a user has another way to sign in, after one was taken away."""

    user_id: UUID
    _found: list[None] = msgspec.field(default_factory=list)

    def found(self) -> None:
        """To be called by a listener that knows one."""
        self._found.append(None)

    @property
    def is_none(self) -> bool:
        return not self._found


@event("session.token_reused")
class TokenReuseDetected(Event, frozen=True, kw_only=True):
    """An old refresh token of the session was used, so the session was ended."""

    user_id: UUID


class AccessChanged(Hint, frozen=True, kw_only=True):
    """By what was begun or ended, a user may have other rights."""

    user_id: UUID


@event("session.ended")
class SessionsEnded(AccessChanged, frozen=True, kw_only=True):
    """``session_id`` None is all of the user's."""

    session_id: UUID | None = None


@event("api_key.created")
class ApiKeyCreated(Event, frozen=True, kw_only=True):
    """A user has another API key. It changes nothing of the user, so the version is 0."""

    user_id: UUID


@event("api_key.revoked")
class ApiKeyRevoked(AccessChanged, frozen=True, kw_only=True):
    """A key of the user, or several, are good no more."""


@event("session.reauthenticated")
class SessionReauthenticated(AccessChanged, frozen=True, kw_only=True):
    """The user has given their password again, so that sensitive acts are possible for a while."""


USER_ACCESS_EVENTS = (UserUpdated, UserDeactivated, UserDeleted, PasswordChanged)
"""After these the aggregate, a user, may have other rights or fewer sessions."""

ROLE_ACCESS_EVENTS = (RoleUpdated, RoleDeleted)
"""After these any number of users may have other rights."""
