from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from app.config import Section, Settings
from app.lib.addresses import is_loopback, parse_address
from app.lib.ratelimit.limiter import Limit
from app.lib.security.tokens import ed25519_key, hmac_key, signing_key
from app.lib.settings import Secret, WebOrigin, refused


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
    public_app_url: Annotated[
        WebOrigin | None,
        Meta(description="Your front end, whose pages the links in mails open; default: pages of the service itself."),
    ] = None
    passkey_domain: Annotated[
        str | None,
        Meta(description="The domain that passkeys are bound to for ever; default: the host of the first page below."),
    ] = None
    passkey_origins: Annotated[
        tuple[WebOrigin, ...],
        Meta(description="Where pages use passkeys; default `PUBLIC_APP_URL`, or else the origin of `PUBLIC_URL`."),
    ] = ()
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

    def faults(self, settings: Settings) -> Iterator[str]:
        """Links carry secrets, so production sends them by https alone."""
        yield from refused("RATE_LIMIT_AUTH", Limit.parse, self.rate_limit_auth)
        if self.jwt_private_key:
            yield from refused("JWT_PRIVATE_KEY", signing_key, self.jwt_private_key.reveal())
        fallbacks = [each.reveal() for each in self.jwt_private_key_fallbacks]
        yield from refused("JWT_PRIVATE_KEY_FALLBACKS", ed25519_key, *fallbacks)
        if settings.secret_key:
            yield from refused("SECRET_KEY", hmac_key, settings.signing_secret)
        yield from refused("SECRET_KEY_FALLBACKS", hmac_key, *settings.fallback_secrets)
        if settings.is_production and self.public_app_url and not self.public_app_url.startswith("https:"):
            yield "PUBLIC_APP_URL: https is required in production"
        if settings.is_production and not all(each.startswith("https:") for each in self.passkey_origins):
            yield "PASSKEY_ORIGINS: https is required in production"
        domain, origins = self.relying_party(settings)
        if not all(f".{each.host}".endswith(f".{domain}") for each in origins):
            yield (
                "PASSKEY_DOMAIN: expected the domain of PASSKEY_ORIGINS, or a parent of all of them "
                "(default: PUBLIC_APP_URL, else PUBLIC_URL)"
            )

    def relying_party(self, settings: Settings) -> tuple[str, tuple[WebOrigin, ...]]:
        """The domain of passkeys, and the origins of pages that use them. Browsers want a name, so for a loopback
        address it is ``localhost``.
        """
        page = urlsplit(self.public_app_url or settings.address.origin)
        if parse_address(page.hostname) and is_loopback(page.hostname or ""):
            page = page._replace(netloc=f"localhost:{page.port}" if page.port else "localhost")
        origins = self.passkey_origins or (WebOrigin(page.geturl()),)
        return self.passkey_domain or origins[0].host, origins
