"""Keys as a process uses them: rotated, published, refused."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.core import Core
from app.domain.auth.services.tokens import TokenIssuer
from app.lib.db.base import new_id
from app.lib.db.url import DatabaseURL
from app.lib.errors import InvalidCursor, InvalidToken
from app.lib.settings import ConfigurationError
from tests.support.apps import make_core

OLD, NEW = "an-old-key-that-is-only-for-tests-01234", "a-new-key-that-is-only-for-tests-01234"


def make(**overrides: str) -> Core:
    """Nothing is opened before they are started."""
    return make_core(DatabaseURL.parse("sqlite:///data/none.db"), **overrides)


def test_what_an_old_key_signed_is_good_as_long_as_the_key_is_kept() -> None:
    old = make(SECRET_KEY=OLD)
    cursor = old.cursors.encode(b"boats", [1])
    user_id = new_id()
    signer = old.services.get(TokenIssuer).signer
    token = signer.issue_access(user_id, new_id(), datetime.now(UTC), timedelta(minutes=1))

    kept = make(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD)
    assert kept.cursors.decode(b"boats", cursor, (int,)) == (1,)
    assert kept.services.get(TokenIssuer).signer.read_access(token).user_id == user_id
    forgotten = make(SECRET_KEY=NEW)
    with pytest.raises(InvalidCursor):
        forgotten.cursors.decode(b"boats", cursor, (int,))
    with pytest.raises(InvalidToken):
        forgotten.services.get(TokenIssuer).signer.read_access(token)


def test_an_ed25519_key_signs_and_is_published() -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    (key,) = make(JWT_PRIVATE_KEY=pem.decode()).services.get(TokenIssuer).signer.jwks()["keys"]

    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    assert "d" not in key
    assert make().services.get(TokenIssuer).signer.jwks() == {"keys": []}


def test_a_key_of_another_kind_is_refused_without_being_shown() -> None:
    pem = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    with pytest.raises(ConfigurationError, match=r"^JWT_PRIVATE_KEY: .*Ed25519") as caught:
        make(JWT_PRIVATE_KEY=pem)

    assert not [line for line in pem.splitlines() if line in str(caught.value)]


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_one_switch_is_for_every_limit(enabled: str) -> None:
    core = make(RATE_LIMIT_ENABLED=enabled)

    limiters = core.general_limiter, core.limiter
    assert [limiter.enabled for limiter in limiters] == [enabled == "true"] * 2
