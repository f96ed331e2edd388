import re
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from app.config import Section, Settings
from app.lib.addresses import is_loopback
from app.lib.settings import ConfigurationError, Secret, WebAddress

MAX_PROVIDERS = 20
GITHUB = "https://github.com"

_TENANTS = re.compile(r"https://login\.microsoftonline\.com/(?:common|organizations|consumers)/", re.IGNORECASE)
_ASCII = r"^[!-~]+$(?!\n)"


class ProviderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of ``OIDC_PROVIDERS``.

    ``verified_emails`` says that its addresses are confirmed although it does not say so itself: for one tenant of
    Microsoft Entra, or a Keycloak whose administrators enter the addresses.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,30}$(?!\n)")]
    client_id: Annotated[str, Meta(min_length=1, max_length=255, pattern=_ASCII)]
    client_secret: Annotated[str, Meta(max_length=1000, pattern=r"^[!-~]*$(?!\n)")] = ""
    kind: Literal["openid", "github"] = "openid"
    issuer: Annotated[str, Meta(max_length=255, pattern=_ASCII)] = ""
    title: Annotated[str, Meta(max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")] = ""
    scopes: Annotated[tuple[Annotated[str, Meta(pattern=_ASCII)], ...], Meta(max_length=20)] = ()
    verified_emails: bool = False

    def __repr__(self) -> str:
        return f"ProviderConfig(name={self.name!r})"

    @property
    def shown_as(self) -> str:
        """What people call it."""
        return self.title or ("GitHub" if self.kind == "github" else self.name.capitalize())

    @property
    def address(self) -> str:
        """The issuer; of GitHub, or a GitHub Enterprise Server, the site."""
        return self.issuer or GITHUB


class IdentitySettings(Section, frozen=True, kw_only=True):
    """Where people may sign in, besides here."""

    oidc_providers: Annotated[
        Secret | None,
        Meta(
            description="Identity providers, a JSON list with `name`, `issuer`, `client_id` and `client_secret` each."
        ),
    ] = None
    oidc_allow_private: Annotated[
        bool, Meta(description="Identity providers may have private addresses, such as a Keycloak of your own network.")
    ] = False

    @property
    def providers(self) -> tuple[ProviderConfig, ...]:
        """Raises ``ConfigurationError``, never with what the setting has, because that is secret."""
        if self.oidc_providers is None:
            return ()
        try:
            found = msgspec.json.decode(self.oidc_providers.reveal(), type=tuple[ProviderConfig, ...])
        except msgspec.ValidationError as exc:
            place = str(exc).replace("`", "")
            raise ConfigurationError(f"OIDC_PROVIDERS: {place[:1].lower()}{place[1:]}") from None
        except msgspec.DecodeError:
            raise ConfigurationError("OIDC_PROVIDERS: expected a JSON list of objects") from None
        return found

    def faults(self, settings: Settings) -> Iterator[str]:
        """Refuses names that are there twice, and addresses that production must not use."""
        providers = self.providers
        if len({each.name for each in providers}) < len(providers) or len(providers) > MAX_PROVIDERS:
            yield f"OIDC_PROVIDERS: expected up to {MAX_PROVIDERS} providers, each with its own name"
        for each in providers:
            if reason := _flaw(each, is_production=settings.is_production):
                yield f"OIDC_PROVIDERS: {each.name}: {reason}"


def is_allowed(url: str, *, is_production: bool) -> bool:
    """Whether a provider may be asked there: https, or outside production http to this machine."""
    try:
        host = WebAddress.parse(url.partition("?")[0]).host
    except ValueError:
        return False
    is_here = host == "localhost" or is_loopback(host)
    return url.startswith("https://") or (is_here and not is_production)


def _flaw(provider: ProviderConfig, *, is_production: bool) -> str | None:
    if provider.kind == "github" and not provider.client_secret:
        return "client_secret is required"
    if provider.kind == "openid" and not provider.issuer:
        return "issuer is required"
    if _TENANTS.match(f"{provider.issuer}/"):
        return "name your own tenant, https://login.microsoftonline.com/<tenant id>/v2.0: in those for all, anyone is"
    if not is_allowed(provider.address, is_production=is_production):
        return "issuer must be an https URL"
    return None
