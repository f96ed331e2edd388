import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.lib.errors import InvalidToken
from app.lib.security.tokens import TokenSigner

SECRET = "a secret of the service with more than 32 bytes"
OLD_SECRET = "an older secret of the service with 32 bytes and more"
FOREIGN_SECRET = "a secret of another service with more than 32 bytes"
ISSUER = "https://lodestar.example"
AUDIENCE = "lodestar"
USER = UUID("0193a3c4-0000-7000-8000-000000000001")
SESSION = UUID("0193a3c4-0000-7000-8000-000000000002")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEN_MINUTES = timedelta(minutes=10)
THIRTY_DAYS = timedelta(days=30)

# RFC 8037 appendix A.1 and A.3
RFC_8037_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

Members = dict[str, Any]


def encode64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode64(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def pem_of(key: Any, *, encryption: serialization.KeySerializationEncryption | None = None) -> str:
    octets: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )
    return octets.decode()


ED25519 = Ed25519PrivateKey.from_private_bytes(decode64(RFC_8037_D))


def hs256(secret: str = SECRET, *fallbacks: str, issuer: str = ISSUER, audience: str = AUDIENCE) -> TokenSigner:
    return TokenSigner(secret=secret, fallbacks=fallbacks, issuer=issuer, audience=audience)


def eddsa(key: Ed25519PrivateKey = ED25519) -> TokenSigner:
    return TokenSigner(
        secret=SECRET, fallbacks=[OLD_SECRET], private_key_pem=pem_of(key), issuer=ISSUER, audience=AUDIENCE
    )


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(params=[hs256, eddsa], ids=["HS256", "EdDSA"])
def signer(request: pytest.FixtureRequest) -> TokenSigner:
    make: Callable[[], TokenSigner] = request.param
    return make()


def access(signer: TokenSigner) -> str:
    return signer.issue_access(USER, SESSION, NOW, TEN_MINUTES)


def refresh(signer: TokenSigner, generation: int = 3) -> str:
    return signer.issue_refresh(
        USER, SESSION, generation=generation, jti="an-id", issued_at=NOW, expires_at=NOW + THIRTY_DAYS
    )


def header_of(token: str) -> Members:
    header: Members = json.loads(decode64(token.partition(".")[0]))
    return header


def payload_of(token: str) -> Members:
    payload: Members = json.loads(decode64(token.split(".")[1]))
    return payload


def claims(**changes: Any) -> Members:
    """The claims of a good access token, with changes; ``...`` removes one."""
    good = payload_of(access(hs256()))
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def sign(payload: Any, *, secret: str = SECRET, **header: Any) -> str:
    """Sign anything as HS256, as an attacker who knows the secret could; ``...`` removes a header."""
    good = header_of(access(hs256()))
    names = {name: value for name, value in {**good, **header}.items() if value is not ...}
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = f"{encode64(json.dumps(names).encode())}.{encode64(content)}"
    return f"{signed}.{encode64(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


def refused(signer: TokenSigner, token: str) -> None:
    for read in (signer.read_access, signer.read_refresh):
        with pytest.raises(InvalidToken) as refusal:
            read(token)
        assert refusal.value.status == 401
        assert refusal.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}


PEM = pem_of(Ed25519PrivateKey.generate()).strip()
"""A good key, as an environment variable has it."""
