"""Access and refresh tokens: signed JWTs (RFC 7519, RFC 9068, RFC 8725).

A token says which key to check it with, never how: the algorithm belongs to the key. The header's
``typ`` and again the claim ``type`` name the kind of a token, so that none passes for another.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from app.lib.errors import InvalidToken
from app.lib.wire import base64url

ACCESS_TYP: Final = "at+jwt"  # RFC 9068 section 2.1
REFRESH_TYP: Final = "rt+jwt"

_MAX_LENGTH = 4096
_LEEWAY = 5  # seconds that clocks may differ
_MIN_SECRET = 32  # bytes: RFC 7518 section 3.2
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REQUIRED = ["iss", "aud", "sub", "sid", "type", "jti", "iat", "exp"]


Seconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]  # since the epoch, to the end of year 9999


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What every token says. ``iat`` and ``exp`` stay numbers, as on the wire."""

    user_id: UUID = msgspec.field(name="sub")
    session_id: UUID = msgspec.field(name="sid")
    jti: str
    iat: Seconds
    exp: Seconds


class ActorClaim(msgspec.Struct, frozen=True):
    """Who acts in the place of the token's subject (RFC 8693 section 4.1)."""

    user_id: UUID = msgspec.field(name="sub")


class AccessClaims(Claims, frozen=True, kw_only=True, tag_field="type", tag="access"):
    """A caller: the bearer of an access token."""

    act: ActorClaim | None = None


class RefreshClaims(Claims, frozen=True, kw_only=True, tag_field="type", tag="refresh"):
    """A sign-in that goes on; ``generation`` counts its rotations."""

    generation: Annotated[int, msgspec.Meta(ge=0)]


ClaimsT = TypeVar("ClaimsT", bound=Claims)


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of a header: ``crit``, ``jku``, ``jwk``, ``x5c`` and ``x5u`` are refused as unknown."""

    alg: str
    kid: str
    typ: str


_header_decoder = msgspec.json.Decoder(_Header)


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str
    algorithm: str
    signer: bytes | Ed25519PrivateKey | None = field(repr=False)
    verifier: bytes | Ed25519PublicKey = field(repr=False)
    jwk: dict[str, str] | None = None


class TokenSigner:
    """Signs with one key and verifies with that, the ones before it and the ones to come.

    Without ``private_key_pem`` it is HS256 with ``secret``, with an Ed25519 key (PEM, PKCS #8, no passphrase) EdDSA.
    Tokens of ``fallbacks`` (secrets) and of ``private_key_fallbacks`` (private keys or their public halves) are good,
    too. Those of ``secret`` itself are not when there is a private key, except refresh tokens, which are nothing
    without the secret of their session: the step to EdDSA ends no session, and a secret that leaks forges no token.
    Raises ``ValueError`` for a key that cannot be used; the message never holds the key.
    """

    def __init__(
        self,
        *,
        secret: str,
        issuer: str,
        audience: str,
        fallbacks: Sequence[str] = (),
        private_key_pem: str | None = None,
        private_key_fallbacks: Sequence[str] = (),
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        shared = hmac_key(secret)
        own = shared if private_key_pem is None else signing_key(private_key_pem)
        keys = [own, *map(ed25519_key, private_key_fallbacks), *map(hmac_key, fallbacks)]
        self._key = own
        self._keys = {key.kid: key for key in keys}
        self._refresh_keys = {key.kid: key for key in (*keys, shared)}

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys as a JWK Set (RFC 7517 section 5), the one that signs first; no shared secrets."""
        return {"keys": [dict(key.jwk) for key in self._keys.values() if key.jwk]}

    def issue_access(
        self, user_id: UUID, session_id: UUID, now: datetime, lifetime: timedelta, *, actor_id: UUID | None = None
    ) -> str:
        """Return a new access token with an id of its own. ``actor_id`` acts in the place of the user."""
        who: dict[str, Any] = {"type": "access", "sub": str(user_id), "sid": str(session_id)}
        who["jti"] = secrets.token_urlsafe(16)
        if actor_id is not None:
            who["act"] = {"sub": str(actor_id)}
        return self.encode({**who, "iat": _seconds(now), "exp": _seconds(now + lifetime)}, typ=ACCESS_TYP)

    def issue_refresh(
        self, user_id: UUID, session_id: UUID, *, generation: int, jti: str, issued_at: datetime, expires_at: datetime
    ) -> str:
        """Return the refresh token of one generation: the same arguments give the same token, byte for byte."""
        who = {"type": "refresh", "sub": str(user_id), "sid": str(session_id), "jti": jti, "generation": generation}
        return self.encode({**who, "iat": _seconds(issued_at), "exp": _seconds(expires_at)}, typ=REFRESH_TYP)

    def read_access(self, token: str) -> AccessClaims:
        """Return what a good access token says; raises :class:`~app.lib.errors.InvalidToken` for any other."""
        return self.decode(token, AccessClaims, typ=ACCESS_TYP)

    def read_refresh(self, token: str) -> RefreshClaims:
        """Return what a good refresh token says; raises :class:`~app.lib.errors.InvalidToken` for any other.

        Whether it is the current generation is the session's business.
        """
        return self.decode(token, RefreshClaims, typ=REFRESH_TYP)

    def encode(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """Sign ``claims`` and this issuer and audience. Equal claims give the same token, byte for byte."""
        payload = {**claims, "iss": self._issuer, "aud": self._audience}
        return _jws.encode(
            msgspec.json.encode(payload, order="deterministic"),
            self._key.signer,  # type: ignore[arg-type]  # never the public half
            algorithm=self._key.algorithm,
            headers={"kid": self._key.kid, "typ": typ},
        )

    def decode(self, token: str, claims_type: type[ClaimsT], *, typ: str) -> ClaimsT:
        """Return the claims of a token of ours that has not expired, is of this ``typ`` and of the claims' type.

        ``claims_type`` names its ``type`` as a Struct tag. Clocks may be 5 seconds apart. Raises
        :class:`~app.lib.errors.InvalidToken` for any reason.
        """
        if len(token) > _MAX_LENGTH or not _COMPACT.fullmatch(token):
            raise InvalidToken
        try:
            header = _header_decoder.decode(base64url.decode(token.partition(".")[0]))
            key = (self._refresh_keys if typ == REFRESH_TYP else self._keys).get(header.kid)
            if key is None or header.alg != key.algorithm or header.typ != typ:
                raise InvalidToken
            claims = jwt.decode(
                token,
                key.verifier,
                algorithms=[key.algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=_LEEWAY,
                options={"require": _REQUIRED, "strict_aud": True},
            )
            return msgspec.convert(claims, claims_type)
        except (ValueError, msgspec.DecodeError, jwt.PyJWTError) as error:
            raise InvalidToken from error


def refresh_jti(session_secret: bytes, generation: int) -> str:
    """Return the id of a session's refresh token of one generation, which cannot be computed without the secret."""
    return base64url.encode(hmac.digest(session_secret, f"refresh:{generation}".encode(), "sha256"))


_jws = jwt.PyJWS()


def hmac_key(secret: str) -> _Key:
    """Raises ``ValueError`` for a short secret, and for what is a key of another kind."""
    key = secret.encode()
    if len(key) < _MIN_SECRET:
        raise ValueError(f"a secret that signs tokens must have at least {_MIN_SECRET} bytes")
    try:
        jwt.get_algorithm_by_name("HS256").prepare_key(key)
    except jwt.InvalidKeyError:
        raise ValueError("a secret that signs tokens must not be a PEM, SSH or JWK key") from None
    kid = base64url.encode(hmac.digest(key, b"kid", "sha256"))[:12]
    return _Key(kid, "HS256", key, key)


def signing_key(pem: str) -> _Key:
    """A private key. Raises ``ValueError``."""
    key = ed25519_key(pem)
    if key.signer is None:
        raise ValueError("a public key cannot sign tokens")
    return key


def ed25519_key(pem: str) -> _Key:
    """A private key, or the public half of one, which only verifies. Raises ``ValueError``."""
    refusal = ValueError("a key for tokens must be an Ed25519 key in PEM without a passphrase")
    is_public = "PUBLIC KEY" in pem
    try:
        key = load_pem_public_key(pem.encode()) if is_public else load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise refusal from None
    if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        raise refusal
    private, public = (None, key) if isinstance(key, Ed25519PublicKey) else (key, key.public_key())
    # RFC 8037 section 2; these three members are also what the thumbprint covers (RFC 7638, RFC 8037 A.3).
    required = {"crv": "Ed25519", "kty": "OKP", "x": base64url.encode(public.public_bytes_raw())}
    kid = base64url.encode(hashlib.sha256(msgspec.json.encode(required, order="sorted")).digest())
    return _Key(kid, "EdDSA", private, public, {**required, "use": "sig", "alg": "EdDSA", "kid": kid})


def _seconds(instant: datetime) -> int:
    if instant.tzinfo is None:
        raise ValueError("a token's times must know their time zone")
    return int(instant.timestamp())
