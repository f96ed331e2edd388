"""An authenticator in software, which makes real keys and signatures, and the browser in front of it."""

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import encode_cbor

from app.core import Core
from app.domain.auth.models import Passkey
from app.domain.auth.repositories.passkeys import PasskeyRepository
from app.lib.db.base import new_id

ORIGIN = "http://localhost:8000"
"""Of the pages of apps under test."""
PRESENT, VERIFIED, MAY_BACK_UP, BACKED_UP, ATTESTED, EXTENDED = 1, 4, 8, 16, 64, 128

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def to_text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def to_bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")


def new_key(algorithm: int) -> Key:
    """By the number of the algorithm in COSE."""
    match algorithm:
        case -8:
            return ed25519.Ed25519PrivateKey.generate()
        case -257:
            return rsa.generate_private_key(65537, 2048)
        case _:
            return ec.generate_private_key(ec.SECP256R1())


def cose_of(key: Key) -> dict[int, Any]:
    """The public half, as authenticators send it."""
    match key.public_key():
        case ed25519.Ed25519PublicKey() as public:
            return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
        case rsa.RSAPublicKey() as public:
            numbers = public.public_numbers()
            return {1: 3, 3: -257, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}
        case ec.EllipticCurvePublicKey() as public:
            point = public.public_numbers()
            return {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        case _:
            raise TypeError


@dataclass
class Credential:
    """A key for one user of one relying party."""

    id: bytes
    key: Key
    rp_id: str
    user_handle: bytes
    count: int = 0

    def sign(self, data: bytes) -> bytes:
        match self.key:
            case ed25519.Ed25519PrivateKey():
                return self.key.sign(data)
            case rsa.RSAPrivateKey():
                return self.key.sign(data, padding.PKCS1v15(), SHA256())
            case _:
                return self.key.sign(data, ec.ECDSA(SHA256()))


@dataclass
class Authenticator:
    """With ``counts`` it has a counter; with ``verifies`` it asks for a PIN. ``origin`` is that of the page."""

    algorithm: int = -7
    counts: bool = True
    verifies: bool = True
    origin: str = ORIGIN
    credentials: list[Credential] = field(default_factory=list[Credential])

    def create(self, options: dict[str, Any], **forged: Any) -> dict[str, Any]:
        """What ``navigator.credentials.create`` gives. ``forged`` replaces parts of it: see below."""
        credential = Credential(
            id=forged.get("credential_id") or secrets.token_bytes(32),
            key=new_key(self.algorithm),
            rp_id=options["rp"]["id"],
            user_handle=to_bytes(options["user"]["id"]),
        )
        cose = forged.get("raw_cose", encode_cbor(forged.get("cose") or cose_of(credential.key)))
        attested = bytes(16) + len(credential.id).to_bytes(2, "big") + credential.id + cose
        data = self._data(credential, PRESENT | ATTESTED, **forged) + attested
        attestation = {"fmt": "none", "attStmt": {}, "authData": data}
        self.credentials.append(credential)
        response = {
            "clientDataJSON": to_text(self._client_data("webauthn.create", options, **forged)),
            "attestationObject": to_text(forged.get("attestation", encode_cbor(attestation))),
            "transports": ["internal", "hybrid"],
            "publicKeyAlgorithm": self.algorithm,
        }
        return self._frame(credential, response)

    def get(self, options: dict[str, Any], **forged: Any) -> dict[str, Any]:
        """What ``navigator.credentials.get`` gives."""
        credential = self._chosen(options)
        if self.counts:
            credential.count += 1
        data = self._data(credential, PRESENT, **forged)
        client_data = self._client_data("webauthn.get", options, **forged)
        response = {
            "clientDataJSON": to_text(client_data),
            "authenticatorData": to_text(data),
            "signature": to_text(credential.sign(data + sha256(client_data).digest())),
            "userHandle": to_text(credential.user_handle),
        }
        return self._frame(credential, response)

    def _chosen(self, options: dict[str, Any]) -> Credential:
        allowed = [to_bytes(each["id"]) for each in options["allowCredentials"]]
        fitting = [each for each in self.credentials if each.id in allowed or not allowed]
        assert fitting, "no credential for these options"
        return fitting[-1]

    def _data(self, credential: Credential, flags: int, **forged: Any) -> bytes:
        verified = VERIFIED if self.verifies else 0
        rp_id: str = forged.get("rp_id", credential.rp_id)
        count: int = forged.get("count", credential.count)
        after: bytes = forged.get("after", b"")
        flags = (flags | verified | forged.get("more_flags", 0)) & ~forged.get("no_flags", 0)
        return sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big") + after

    def _client_data(self, kind: str, options: dict[str, Any], **forged: Any) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | forged.get("client_data", {})).encode()

    @staticmethod
    def _frame(credential: Credential, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": to_text(credential.id),
            "rawId": to_text(credential.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }


async def passkey_of(user_id: UUID, core: Core) -> UUID:
    """A passkey of a user, whose authenticator is lost; its id."""
    passkey = Passkey(
        id=new_id(),
        user_id=user_id,
        credential_id=secrets.token_bytes(32),
        public_key=encode_cbor(cose_of(new_key(-8))),
        sign_count=0,
        name="Passkey",
        transports="",
        verifies_user=True,
        is_backed_up=False,
    )
    async with core.database.independent() as unit:
        await PasskeyRepository(unit).create(passkey)
    return passkey.id
