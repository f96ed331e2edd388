"""A relying party of WebAuthn (https://www.w3.org/TR/webauthn-3/): challenges, and what authenticators answer to them.

The package ``webauthn`` verifies. What an authenticator says of its maker (attestation) is not asked for, so it is not
read either. All texts are base64url, as browsers send them.
"""

import hmac
import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography, encode_cbor
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    RegistrationCredential,
)

from app.lib.clock import utc_now
from app.lib.security.authenticator_data import attested_data_of, client_data_of, from_base64url
from app.lib.wire import base64url

ALGORITHMS: Final = (
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)
"""In the order of preference. Some machines with Windows have RSA alone."""

CHALLENGE_LIFE: Final = timedelta(minutes=5)

MAX_CREDENTIAL_ID: Final = 1023
MAX_PUBLIC_KEY: Final = 1024

_VALUE, _EXPIRY = 32, 8
_RSA_BITS = range(2048, 4097)


class InvalidPasskey(Exception):
    """What was sent is not the answer of an authenticator to a challenge of ours for this purpose."""


class Challenge(msgspec.Struct, frozen=True):
    """A challenge of ours that is not expired. It may have been used before."""

    value: bytes
    expires_at: datetime


class NewKey(msgspec.Struct, frozen=True):
    """A key that an authenticator has made; ``verifies_user`` when it asked for a PIN, a finger or the like."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    verifies_user: bool
    is_backed_up: bool


class KeyUse(msgspec.Struct, frozen=True):
    """A use of a key whose signature is right."""

    sign_count: int
    is_backed_up: bool


class Challenges:
    """Makes challenges, and knows its own again without keeping them, so that strangers cannot fill a table."""

    def __init__(self, key: bytes, fallbacks: Sequence[bytes] = ()) -> None:
        self._keys = (key, *fallbacks)

    def new(self, purpose: str, bound_to: bytes = b"") -> str:
        """A challenge for one purpose, and one user, session or token; good for five minutes."""
        expiry = int((utc_now() + CHALLENGE_LIFE).timestamp()).to_bytes(_EXPIRY, "big")
        value = expiry + secrets.token_bytes(_VALUE - _EXPIRY)
        return base64url.encode(value + _tag(self._keys[0], value, purpose, bound_to))

    def read(self, client_data: str, purpose: str, bound_to: bytes = b"") -> Challenge:
        """The challenge that was answered. Raises ``InvalidPasskey``."""
        with _refusals():
            answered = from_base64url(client_data_of(client_data).challenge)
        value, tag = answered[:_VALUE], answered[_VALUE:]
        if not any(hmac.compare_digest(tag, _tag(key, value, purpose, bound_to)) for key in self._keys):
            raise InvalidPasskey
        expires_at = datetime.fromtimestamp(int.from_bytes(value[:_EXPIRY], "big"), UTC)
        if expires_at <= utc_now():
            raise InvalidPasskey
        return Challenge(answered, expires_at)


class RelyingParty(msgspec.Struct, frozen=True):
    """``id`` is the domain that passkeys are bound to, ``origins`` are those of the pages that may use them."""

    id: str
    name: str
    origins: tuple[str, ...]

    def verify_new(self, challenge: Challenge, *, client_data: str, attestation_object: str) -> NewKey:
        """Raises ``InvalidPasskey``."""
        with _refusals():
            data = attested_data_of(attestation_object)
            response = AuthenticatorAttestationResponse(
                client_data_json=_in_frame_of_ours(client_data),
                attestation_object=encode_cbor({"fmt": "none", "attStmt": {}, "authData": data}),
            )
            # The id is in the signed data, too, and counts there.
            verified = verify_registration_response(
                credential=RegistrationCredential(id="", raw_id=b"", response=response),
                expected_challenge=challenge.value,
                expected_rp_id=self.id,
                expected_origin=list(self.origins),
                supported_pub_key_algs=list(ALGORITHMS),
            )
            _check(verified.credential_id, verified.credential_public_key)
        return NewKey(
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            verifies_user=verified.user_verified,
            is_backed_up=verified.credential_backed_up,
        )

    def verify_use(
        self,
        challenge: Challenge,
        public_key: bytes,
        *,
        client_data: str,
        authenticator_data: str,
        signature: str,
        needs_verification: bool,
    ) -> KeyUse:
        """``needs_verification`` is whether the authenticator must have verified its user. The counter is left to the
        caller, because only that of a right signature says anything. Raises ``InvalidPasskey``.
        """
        with _refusals():
            response = AuthenticatorAssertionResponse(
                client_data_json=_in_frame_of_ours(client_data),
                authenticator_data=from_base64url(authenticator_data),
                signature=from_base64url(signature),
            )
            used = verify_authentication_response(
                credential=AuthenticationCredential(id="", raw_id=b"", response=response),
                expected_challenge=challenge.value,
                expected_rp_id=self.id,
                expected_origin=list(self.origins),
                credential_public_key=public_key,
                credential_current_sign_count=0,
                require_user_verification=needs_verification,
            )
        return KeyUse(sign_count=used.new_sign_count, is_backed_up=used.credential_backed_up)


@contextmanager
def _refusals() -> Generator[None]:
    try:
        yield
    except Exception as exc:  # the package raises what Python raises for a key without a curve, a number that is a text
        raise InvalidPasskey from exc


def _tag(key: bytes, value: bytes, purpose: str, bound_to: bytes) -> bytes:
    return hmac.digest(key, value + purpose.encode() + b"\n" + bound_to, sha256)


def _in_frame_of_ours(client_data: str) -> bytes:
    """The decoded client data. Raises ``InvalidPasskey`` when the page is in a frame of another origin."""
    if client_data_of(client_data).cross_origin:
        raise InvalidPasskey
    return from_base64url(client_data)


def _check(credential_id: bytes, public_key: bytes) -> None:
    """Raises ``InvalidPasskey`` for a key that is not of its algorithm: it would be refused at each use."""
    if len(credential_id) > MAX_CREDENTIAL_ID or len(public_key) > MAX_PUBLIC_KEY:
        raise InvalidPasskey
    decoded = decode_credential_public_key(public_key)
    match decoded_public_key_to_cryptography(decoded), decoded.alg:
        case EllipticCurvePublicKey(curve=SECP256R1()), COSEAlgorithmIdentifier.ECDSA_SHA_256:
            return
        case Ed25519PublicKey(), COSEAlgorithmIdentifier.EDDSA:
            return
        case RSAPublicKey(key_size=size), COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256 if size in _RSA_BITS:
            return
        case _:
            raise InvalidPasskey
