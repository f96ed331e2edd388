from typing import Annotated

from msgspec import Meta

from app.config import Section, Settings
from app.lib.ratelimit.limiter import Limit
from app.lib.settings import ConfigurationError, Secret, WebOrigin, blaming


class AuthSettings(Section, frozen=True, kw_only=True):
    """Tokens, sign-in and registration."""

    access_token_expire_minutes: Annotated[int, Meta(ge=1, le=1440, description="Lifetime of an access token.")] = 10
    refresh_token_expire_days: Annotated[
        int, Meta(ge=1, le=365, description="How long a session lives without use.")
    ] = 14
    session_expire_days: Annotated[int, Meta(ge=1, le=3650, description="How long a session lives altogether.")] = 90
    auth_cache_seconds: Annotated[
        float, Meta(ge=0, le=1, description="How long a worker may remember who a token belongs to; 0 turns it off.")
    ] = 1.0
    require_verified_email: Annotated[
        bool, Meta(description="Registration answers 202 for all, and only verified accounts sign in.")
    ] = False
    public_app_url: Annotated[
        WebOrigin | None,
        Meta(description="Your front end, whose pages the links in mails open; default: pages of the service itself."),
    ] = None
    jwt_private_key: Annotated[
        Secret | None, Meta(description="Ed25519 key in PEM: tokens are then EdDSA and keys are published.")
    ] = None
    jwt_private_key_fallbacks: Annotated[
        tuple[Secret, ...],
        Meta(
            description="Former or coming keys in PEM, private or public: their tokens are good and they are published."
        ),
    ] = ()
    rate_limit_auth: Annotated[
        str, Meta(description="Per client address: sign-in, registration and password together, refreshes apart.")
    ] = "30/minute"

    def __post_init__(self) -> None:
        with blaming("RATE_LIMIT_AUTH"):
            Limit.parse(self.rate_limit_auth)

    def check(self, settings: Settings) -> None:
        """Links carry secrets, so production sends them by https alone."""
        if settings.is_production and self.public_app_url and not self.public_app_url.startswith("https:"):
            raise ConfigurationError("PUBLIC_APP_URL: https is required in production")
