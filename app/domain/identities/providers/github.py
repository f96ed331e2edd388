"""GitHub, and GitHub Enterprise Server: OAuth 2 without OpenID Connect, so people are asked for at its API."""

from datetime import datetime
from typing import Any

from app.domain.identities.errors import InvalidAnswer, NotAskedAgain
from app.domain.identities.providers.client import ProviderClient, refusal
from app.domain.identities.providers.code_flow import CodeFlow
from app.domain.identities.providers.people import ExternalIdentity, accepted_email, accepted_name
from app.domain.identities.settings import GITHUB, ProviderConfig

_OK = 200


class GitHubProvider:
    """The subject is the number of the account, which stays when its name changes."""

    def __init__(self, config: ProviderConfig, client: ProviderClient, redirect_uri: str) -> None:
        self.name, self.title, self.redirect_uri = config.name, config.shown_as, redirect_uri
        self.issuer = config.address.rstrip("/")
        self._client = client
        self._api = "https://api.github.com" if self.issuer == GITHUB else f"{self.issuer}/api/v3"
        self._flow = CodeFlow(
            config=config, client=client, redirect_uri=redirect_uri, scopes=("read:user", "user:email")
        )

    async def authorization_url(self, *, state: str, nonce: str, verifier: str, is_fresh: bool) -> str:
        """Where to send the browser. There is no ID token, so the nonce goes nowhere, and nothing shows when a person
        was asked who they are. Raises ``NotAskedAgain``.
        """
        if is_fresh:
            raise NotAskedAgain
        return self._flow.authorization_url(f"{self.issuer}/login/oauth/authorize", state=state, verifier=verifier)

    async def identify(
        self, *, code: str, iss: str | None, nonce: str, verifier: str, since: datetime | None
    ) -> ExternalIdentity:
        """Who has signed in there. Raises ``InvalidAnswer`` or ``ProviderUnavailable``."""
        if iss not in {None, self.issuer, f"{self.issuer}/login/oauth"}:
            raise InvalidAnswer
        endpoint = f"{self.issuer}/login/oauth/access_token"
        tokens = await self._flow.exchange(endpoint, "client_secret_post", code=code, verifier=verifier)
        user = await self._ask("/user", tokens["access_token"], dict)
        emails = await self._ask("/user/emails", tokens["access_token"], list)
        if not isinstance(user.get("id"), int):
            raise refusal(self._api, "names no user")
        primary = [each for each in emails if isinstance(each, dict) and each.get("primary") is True]
        email = accepted_email(primary[0].get("email")) if primary else None
        return ExternalIdentity(
            provider=self.name,
            title=self.title,
            issuer=self.issuer,
            subject=str(user["id"]),
            email=email,
            is_confirmed=bool(primary) and primary[0].get("verified") is True,
            name=accepted_name(user.get("name")),
        )

    async def _ask(self, path: str, token: str, kind: type[Any]) -> Any:
        status, found = await self._client.ask(f"{self._api}{path}", headers={"Authorization": f"Bearer {token}"})
        if status != _OK or not isinstance(found, kind):
            raise refusal(f"{self._api}{path}", f"answers {status}")
        return found
