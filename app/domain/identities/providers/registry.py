"""The identity providers of the settings, by name."""

from datetime import datetime
from typing import Protocol

from app.domain.identities.errors import ProviderNotFound
from app.domain.identities.providers.people import ExternalIdentity


class Provider(Protocol):
    """An identity provider. ``redirect_uri`` is where the browser comes back to."""

    name: str
    title: str
    issuer: str
    redirect_uri: str

    async def authorization_url(self, *, state: str, nonce: str, verifier: str, is_fresh: bool) -> str: ...

    async def identify(
        self, *, code: str, iss: str | None, nonce: str, verifier: str, since: datetime | None
    ) -> ExternalIdentity: ...


class Providers(dict[str, Provider]):
    """By name, in the order of the settings."""

    def named(self, name: str) -> Provider:
        """Raises ``ProviderNotFound``."""
        if name not in self:
            raise ProviderNotFound
        return self[name]

    def has_issuer(self, issuer: str) -> bool:
        """Whether one of them is this issuer, so that users can sign in by its identities."""
        return any(each.issuer == issuer for each in self.values())
