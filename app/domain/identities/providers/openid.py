"""Any provider of OpenID Connect, found by its issuer (OpenID Connect Core and Discovery 1.0)."""

import logging
from datetime import datetime
from typing import Any

import msgspec
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from app.domain.identities.errors import InvalidAnswer, NotAskedAgain
from app.domain.identities.providers.client import ProviderClient, Published, refusal
from app.domain.identities.providers.code_flow import CodeFlow
from app.domain.identities.providers.people import (
    MAX_SUBJECT,
    ExternalIdentity,
    accepted_email,
    accepted_name,
    accepted_text,
)
from app.domain.identities.settings import ProviderConfig

_LOG = logging.getLogger(__name__)

_OK = 200
_LEEWAY = 5
_ASYMMETRIC = {f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)} | {"EdDSA", "Ed25519"}
_KEY_TYPES = {"RSA", "EC", "OKP"}
_MAX_KEYS = 100
_SECONDS_BETWEEN_KEYS = 30.0
"""A key that is not known is asked for, but not more often."""


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of a discovery document (RFC 8414, OpenID Connect Discovery section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False
    prompt_values_supported: tuple[str, ...] = ()


class OpenIDProvider:
    """Asks for nothing until someone signs in, so that a provider that is down stops nothing else."""

    def __init__(self, config: ProviderConfig, client: ProviderClient, redirect_uri: str) -> None:
        self.name, self.title, self.redirect_uri = config.name, config.shown_as, redirect_uri
        self.issuer = config.issuer
        self._config = config
        self._client = client
        self._flow = CodeFlow(
            config=config, client=client, redirect_uri=redirect_uri, scopes=("openid", "email", "profile")
        )
        self._metadata = Published(self._discover)
        self._keys = Published(self._fetch_keys)

    async def authorization_url(self, *, state: str, nonce: str, verifier: str, is_fresh: bool) -> str:
        """Where to send the browser. ``is_fresh`` wants the person to be asked again who they are: ``max_age=0`` says
        that (OpenID Connect Core section 3.1.2.1), and ``prompt`` goes with it where it is announced, because some
        refuse one that they do not know. Raises ``ProviderUnavailable``.
        """
        metadata = await self._metadata.get()
        parameters = {"nonce": nonce}
        if is_fresh:
            parameters["max_age"] = "0"
            if "login" in metadata.prompt_values_supported:
                parameters["prompt"] = "login"
        return self._flow.authorization_url(
            metadata.authorization_endpoint, state=state, verifier=verifier, **parameters
        )

    async def identify(
        self, *, code: str, iss: str | None, nonce: str, verifier: str, since: datetime | None
    ) -> ExternalIdentity:
        """Who has signed in there; with ``since``, after this time. ``iss`` is what came back with the code (RFC 9207).

        Raises ``InvalidAnswer``, ``NotAskedAgain`` or ``ProviderUnavailable``.
        """
        metadata = await self._metadata.get()
        if iss != self.issuer and (iss or metadata.authorization_response_iss_parameter_supported):
            raise self._refusal("the code is of another issuer")
        methods = metadata.token_endpoint_auth_methods_supported
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        tokens = await self._flow.exchange(
            metadata.token_endpoint, method if self._config.client_secret else "none", code=code, verifier=verifier
        )
        claims = await self._verify(tokens, metadata, nonce)
        if since is not None and not _is_later(claims.get("auth_time"), since):
            raise NotAskedAgain
        if not claims.get("email") and metadata.userinfo_endpoint:
            info = await self._ask_userinfo(metadata.userinfo_endpoint, tokens, claims["sub"])
            claims = {**claims, "email_verified": False, **info}
        subject = accepted_text(claims["sub"])
        if not subject or len(subject) > MAX_SUBJECT:
            raise self._refusal("the subject is empty or too long")
        return ExternalIdentity(
            provider=self.name,
            title=self.title,
            issuer=self.issuer,
            subject=subject,
            email=accepted_email(claims.get("email")),
            # Some send it as text.
            is_confirmed=self._config.verified_emails or claims.get("email_verified") in (True, "true"),
            name=accepted_name(claims.get("name")),
        )

    async def _discover(self) -> Metadata:
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        status, found = await self._client.ask(url)
        try:
            metadata = msgspec.convert(found, Metadata)
        except msgspec.ValidationError as exc:
            raise refusal(url, f"answers {status} {exc}") from exc
        if metadata.issuer != self.issuer:
            raise refusal(url, "names another issuer than the settings: they must be the same, to the last slash")
        self._client.check(metadata.authorization_endpoint)  # a page makes a link of it
        return metadata

    async def _fetch_keys(self) -> KeySet:
        url = (await self._metadata.get()).jwks_uri
        _, found = await self._client.ask(url)
        try:
            keys = [key for key in found["keys"][:_MAX_KEYS] if key["kty"] in _KEY_TYPES and key.get("use") != "enc"]
            return KeySet.import_key_set({"keys": keys})
        except (JoseError, AttributeError, KeyError, TypeError, ValueError) as exc:
            raise refusal(url, f"has no keys to verify with: {type(exc).__name__}") from exc

    async def _verify(self, tokens: dict[str, Any], metadata: Metadata, nonce: str) -> dict[str, Any]:
        """The claims of an ID token (OpenID Connect Core section 3.1.3.7). The algorithm is one that the provider
        announces and that has two keys, so neither "none" nor one that the client's secret or a public key would do
        for. Raises ``InvalidAnswer`` or ``ProviderUnavailable``.
        """
        algorithms = _ASYMMETRIC.intersection(metadata.id_token_signing_alg_values_supported)
        if not algorithms:  # joserfc would take those that it recommends
            raise refusal(self.issuer, "signs with none of the algorithms that are taken")
        registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
        token = tokens.get("id_token", "")
        try:
            try:
                decoded = jwt.decode(token, await self._keys.get(), registry=registry)
            except (InvalidKeyIdError, BadSignatureError):  # not all providers name their keys
                decoded = jwt.decode(token, await self._keys.get(max_age=_SECONDS_BETWEEN_KEYS), registry=registry)
            options: Any = {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self._config.client_id},
                **{name: {"essential": True} for name in ("sub", "exp", "iat", "nonce")},
            }
            params = {
                "nonce": nonce,
                "client_id": self._config.client_id,
                "access_token": tokens["access_token"],
            }
            CodeIDToken(decoded.claims, decoded.header, options, params).validate(leeway=_LEEWAY)
        except (JoseError, LookupError, RecursionError, TypeError, ValueError) as exc:
            raise self._refusal(f"the ID token is not good: {exc}") from exc
        return decoded.claims

    async def _ask_userinfo(self, url: str, tokens: dict[str, Any], subject: str) -> dict[str, Any]:
        status, found = await self._client.ask(url, headers={"Authorization": f"Bearer {tokens['access_token']}"})
        if status != _OK or not isinstance(found, dict):
            raise refusal(url, f"answers {status}")
        if found.get("sub") != subject:
            raise self._refusal("the user info is of another subject")
        return found

    def _refusal(self, reason: str) -> InvalidAnswer:
        _LOG.warning("an answer of the identity provider %s was refused: %.200s", self.name, reason)
        return InvalidAnswer()


def _is_later(moment: Any, since: datetime) -> bool:
    """Whether a NumericDate is not before that time. A boolean is a number here, and none there."""
    return type(moment) in {int, float} and moment >= since.timestamp() - _LEEWAY
