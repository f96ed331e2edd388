from app.core import Core
from app.domain.auth.settings import AuthSettings
from app.domain.identities.controllers.pages import PAGE
from app.domain.identities.providers.client import ProviderClient
from app.domain.identities.providers.github import GitHubProvider
from app.domain.identities.providers.openid import OpenIDProvider
from app.domain.identities.providers.registry import Providers
from app.domain.identities.settings import IdentitySettings
from app.lib.text import product_token


def build(core: Core) -> None:
    """The providers. No one asks them for anything yet."""
    settings = core.services.get(IdentitySettings)
    is_production = core.settings.is_production
    client = ProviderClient(
        user_agent=product_token(core.settings.product_name),
        allow_private=settings.oidc_allow_private or not is_production,
        is_production=is_production,
    )
    base = core.services.get(AuthSettings).public_app_url or core.settings.base_url
    providers = Providers()
    for config in settings.providers:
        kind = GitHubProvider if config.kind == "github" else OpenIDProvider
        # One address for each, so that no provider can pass its answer off as another's (RFC 9700 section 4.4.2).
        providers[config.name] = kind(config, client, f"{base}{PAGE}/{config.name}")
    core.services.add(providers)
