from datetime import timedelta
from functools import partial

from app.config import Settings
from app.core import Core
from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.auth.services.api_keys import KeyUses
from app.domain.auth.services.links import LinkMaker
from app.domain.auth.services.tokens import Lifetimes, TokenIssuer
from app.domain.auth.settings import AuthSettings
from app.lib.jobs.background import repeating
from app.lib.ratelimit.limiter import Limit
from app.lib.security.principal import Authenticator
from app.lib.security.relying_party import Challenges, RelyingParty
from app.lib.security.tokens import TokenSigner

_AUDIENCE = "lodestar"
"""``aud`` of the tokens: a name of the protocol, which stays when the product gets another name."""
_WITHOUT_HINTS = 0.1
"""Seconds that a principal is remembered where no hint says that it has changed."""


def build(core: Core) -> None:
    """The signer, the authenticator of access tokens, the maker of links, and the limits of routes."""
    settings = core.services.get(AuthSettings)
    lifetimes = Lifetimes(
        access=timedelta(minutes=settings.access_token_expire_minutes),
        idle=timedelta(days=settings.refresh_token_expire_days),
        absolute=timedelta(days=settings.session_expire_days),
    )
    issuer = TokenIssuer(_signer(core.settings, settings), lifetimes)
    key_uses = KeyUses(core.database)
    core.lifespans.append(partial(repeating, key_uses.write, "api_keys.uses_not_written"))
    cache_seconds = settings.auth_cache_seconds
    if not core.events.hints.fanout.reaches_others:  # such as two workers on SQLite, whose reads are cheap
        cache_seconds = min(cache_seconds, _WITHOUT_HINTS)
    authenticator = SessionAuthenticator(issuer.signer, core.database.reader, key_uses, cache_seconds)
    core.services.add(issuer)
    link_base = settings.public_app_url or core.settings.base_url
    core.services.add(LinkMaker(link_base, *core.keys.derive_all("mailed codes")))
    core.services.add(authenticator, Authenticator)
    domain, origins = settings.relying_party(core.settings)
    core.services.add(RelyingParty(domain, core.settings.product_name, origins))
    core.services.add(Challenges(*core.keys.derive_all("passkey challenges")))
    # Refreshes come by themselves, from everyone behind an address: they must not use up its attempts to sign in.
    core.limits["auth"] = core.limits["refresh"] = Limit.parse(settings.rate_limit_auth)


def _signer(settings: Settings, auth: AuthSettings) -> TokenSigner:
    return TokenSigner(
        secret=settings.signing_secret,
        fallbacks=settings.fallback_secrets,
        private_key_pem=auth.jwt_private_key.reveal() if auth.jwt_private_key else None,
        private_key_fallbacks=[key.reveal() for key in auth.jwt_private_key_fallbacks],
        issuer=settings.base_url,
        audience=_AUDIENCE,
    )
