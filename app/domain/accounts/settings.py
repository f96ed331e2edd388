from typing import Annotated

from msgspec import Meta

from app.config import Section
from app.lib.ratelimit.limiter import Limit
from app.lib.settings import blaming


class AccountSettings(Section, frozen=True, kw_only=True):
    """Passwords."""

    password_min_length: Annotated[
        int, Meta(ge=8, le=128, description="15 is advised where there is no second factor.")
    ] = 8
    rate_limit_wrong_passwords: Annotated[
        str, Meta(description="Per client address, all accounts; ten times as many per network (/24, IPv6 /48).")
    ] = "100/hour"
    rate_limit_wrong_passwords_together: Annotated[
        str, Meta(description="Of all clients; those at the address of a session of the account still sign in.")
    ] = "1000/minute"

    def __post_init__(self) -> None:
        for name in ("rate_limit_wrong_passwords", "rate_limit_wrong_passwords_together"):
            with blaming(name.upper()):
                Limit.parse(getattr(self, name))
