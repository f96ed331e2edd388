"""The authorisation code flow with PKCE (RFC 6749, RFC 7636), as both kinds of providers have it.

Authlib makes the requests; they are sent by the client that goes where it may, and nowhere else.
"""

from typing import Any

import msgspec
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from app.domain.identities.errors import InvalidAnswer
from app.domain.identities.providers.client import ProviderClient, refusal
from app.domain.identities.settings import ProviderConfig

_OK = 200
_WRONG_CODE = {"invalid_grant", "bad_verification_code"}  # the latter is GitHub's


class CodeFlow(msgspec.Struct, frozen=True, kw_only=True):
    """The client's half. ``auth_method`` is how it shows its secret to the token endpoint."""

    config: ProviderConfig
    client: ProviderClient
    redirect_uri: str
    scopes: tuple[str, ...]

    def authorization_url(self, endpoint: str, *, state: str, verifier: str, **parameters: str) -> str:
        """Where to send the browser."""
        challenge: str = create_s256_code_challenge(verifier)  # type: ignore[no-untyped-call] # Authlib has no types
        url: str = prepare_grant_uri(
            endpoint,
            self.config.client_id,
            "code",
            self.redirect_uri,
            " ".join(self.config.scopes or self.scopes),
            state,
            code_challenge=challenge,
            code_challenge_method="S256",
            **parameters,
        )
        return url

    async def exchange(self, endpoint: str, auth_method: str, *, code: str, verifier: str) -> dict[str, Any]:
        """The tokens for a code. Raises ``InvalidAnswer`` for a code that is not good, or ``ProviderUnavailable``."""
        body = prepare_token_request("authorization_code", "", self.redirect_uri, code=code, code_verifier=verifier)
        auth = ClientAuth(self.config.client_id, self.config.client_secret, auth_method)
        _, headers, form = auth.prepare("POST", endpoint, {}, body)  # type: ignore[no-untyped-call] # Authlib has no types
        status, answer = await self.client.ask(endpoint, form=form, headers=headers)
        if isinstance(answer, dict):
            if answer.get("error") in _WRONG_CODE:
                raise InvalidAnswer
            if status == _OK and isinstance(answer.get("access_token"), str):
                return answer
        error = answer.get("error") if isinstance(answer, dict) else None
        raise refusal(endpoint, f"answers {status} {error!r:.100} to a code: look at client_id and client_secret")
