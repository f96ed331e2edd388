from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from app.config import Section, Settings
from app.domain.accounts.role_names import is_reserved_role, is_role_name
from app.lib.ratelimit.limiter import Limit
from app.lib.settings import refused


class AccountSettings(Section, frozen=True, kw_only=True):
    """Passwords, and what new users get."""

    password_min_length: Annotated[
        int, Meta(ge=8, le=128, description="15 is advised where there is no second factor.")
    ] = 8
    require_verified_email: Annotated[
        bool, Meta(description="Registration answers 202 for all, and only verified accounts sign in.")
    ] = False
    default_role: Annotated[
        str | None, Meta(description="Name of the role that all who register get; it has to exist.")
    ] = None
    rate_limit_wrong_passwords: Annotated[
        str, Meta(description="Per client address, all accounts; ten times as many per network (/24, IPv6 /48).")
    ] = "100/hour"
    rate_limit_wrong_passwords_together: Annotated[
        str, Meta(description="Of all clients; those at the address of a session of the account still sign in.")
    ] = "1000/minute"

    def faults(self, settings: Settings) -> Iterator[str]:
        """Refuses what is no role and no limit."""
        name = self.default_role
        if name is not None and (not is_role_name(name) or is_reserved_role(name)):
            yield "DEFAULT_ROLE: expected the name of a role, such as member"
        for limit in ("rate_limit_wrong_passwords", "rate_limit_wrong_passwords_together"):
            yield from refused(limit.upper(), Limit.parse, getattr(self, limit))
