"""Which keys sign, and how they are changed without signing everybody out [ASVS 9.1, 11.2]."""

from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.lib.settings import ConfigurationError
from tests.domain.auth.steps import bearer, refresh, sign_in, whoami
from tests.support.apps import Deployment, client_of
from tests.support.people import People

pytestmark = pytest.mark.asvs("9.1.1", "9.1.2", "9.1.3")

JWKS = "/.well-known/jwks.json"
OLD, NEW = "an-older-secret-for-tests-0123456789ab", "a-newer-secret-for-tests-0123456789ab"


def private_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def test_with_a_private_key_anybody_can_verify_a_token(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(private_key())
    app = await deployment.start(JWT_PRIVATE_KEY_FILE=f"{tmp_path}/key.pem", PUBLIC_URL="https://id.example.com/")
    person = await People(app).create()

    async with client_of(app) as client:
        published = await client.get(JWKS)
        tokens = (await sign_in(client, person.email)).json()
        assert (await whoami(client, tokens["access_token"])).json()["id"] == str(person.id)
        tokens = (await refresh(client, tokens["refresh_token"])).json()
        assert (await whoami(client, tokens["access_token"])).status_code == 200

    assert published.status_code == 200
    assert published.headers["cache-control"] == "public, max-age=300"
    (document,) = published.json()["keys"]
    assert set(document) == {"kty", "crv", "x", "use", "alg", "kid"}  # "d" would be the private key
    header = jwt.get_unverified_header(tokens["access_token"])
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": document["kid"]}
    claims = jwt.decode(
        tokens["access_token"],
        jwt.PyJWK(document),
        algorithms=["EdDSA"],
        audience="lodestar",
        issuer="https://id.example.com",
    )
    assert claims["sub"] == str(person.id)


async def test_a_token_is_not_taken_by_the_other_kind_of_key(deployment: Deployment) -> None:
    """Nor is a public key ever a shared secret."""
    pem = private_key()
    symmetric, asymmetric = await deployment.start(), await deployment.start(JWT_PRIVATE_KEY=pem)
    person = await People(symmetric).create()
    other = await People(asymmetric).sign_in(person.id, person.email)

    async with client_of(symmetric) as here, client_of(asymmetric) as there:
        public = (await there.get(JWKS)).json()["keys"][0]
        claims = jwt.decode(other.access_token, options={"verify_signature": False})
        forged = jwt.encode(claims, public["x"], "HS256", headers={"typ": "at+jwt", "kid": public["kid"]})
        assert (await whoami(here, other.access_token)).status_code == 401
        assert (await whoami(there, person.access_token)).status_code == 401
        assert (await refresh(there, person.refresh_token)).status_code == 401
        assert (await whoami(there, forged)).status_code == 401
        assert (await whoami(there, other.access_token)).status_code == 200


async def test_a_shared_secret_publishes_nothing(client: httpx.AsyncClient) -> None:
    response = await client.get(JWKS, headers=bearer("not even looked at"))

    assert response.status_code == 200
    assert response.json() == {"keys": []}


async def test_a_fallback_keeps_sessions_and_signs_nothing(deployment: Deployment) -> None:
    before = await deployment.start(SECRET_KEY=OLD)
    person = await People(before).create()

    after = await deployment.start(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=f"a-third-secret-for-tests-0123456789abc,{OLD}")
    async with client_of(after) as client:
        assert (await whoami(client, person.access_token)).status_code == 200
        tokens = (await refresh(client, person.refresh_token)).json()
    async with client_of(before) as client:
        assert (await whoami(client, tokens["access_token"])).status_code == 401

    later = await deployment.start(SECRET_KEY=NEW)
    async with client_of(later) as client:
        assert (await whoami(client, tokens["access_token"])).status_code == 200
        assert (await refresh(client, tokens["refresh_token"])).status_code == 200
        assert (await whoami(client, person.access_token)).status_code == 401
        assert (await refresh(client, person.refresh_token)).status_code == 401


async def test_a_key_that_cannot_be_used_stops_the_start_and_is_not_shown(deployment: Deployment) -> None:
    for pem in ["no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]:
        with pytest.raises(ConfigurationError, match="JWT_PRIVATE_KEY") as refused:
            await deployment.start(JWT_PRIVATE_KEY=pem)

        assert "AAAA" not in str(refused.value)
        assert "no key" not in str(refused.value)
