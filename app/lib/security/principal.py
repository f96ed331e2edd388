"""Who is asking."""

from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from app.lib.clock import utc_now

RECENT = timedelta(minutes=10)
"""How long a sign-in counts as recent for sensitive acts."""


Debt = Literal["password_change_required", "mfa_enrollment_required"]
"""What a user has to do before anything else. Also the code of the error that says so."""
Means = Literal["sign_in", "api_key", "impersonation"]
"""How a caller acts as a user: by their own sign-in, by a key of theirs, or as support that acts in their place."""


class Principal(msgspec.Struct, frozen=True):
    """An authenticated caller: a user, through one session. Of an API key ``session_id`` is its id."""

    user_id: UUID
    session_id: UUID
    authenticated_at: datetime
    is_superuser: bool
    permissions: frozenset[str]
    is_verified: bool = False
    """Whether the user has confirmed their address."""
    means: Means = "sign_in"
    impersonator_id: UUID | None = None
    """The user, of the support, who acts as this one."""
    impersonator_session_id: UUID | None = None
    owes: Debt | None = None

    def may(self, permission: str) -> bool:
        """Whether the permission is granted; a superuser has all of them."""
        return self.is_superuser or permission in self.permissions

    def may_all(self, permissions: frozenset[str]) -> bool:
        return self.is_superuser or permissions <= self.permissions

    @property
    def signed_in_recently(self) -> bool:
        return self.means == "sign_in" and utc_now() - self.authenticated_at <= RECENT


class Authenticator(Protocol):
    """Turns an access token into a principal. Raises ``InvalidToken``."""

    async def authenticate(self, token: str) -> Principal: ...


class TicketTaker(Protocol):
    """Turns a ticket into a principal, once. Raises ``InvalidToken``."""

    async def take(self, ticket: str) -> Principal: ...
