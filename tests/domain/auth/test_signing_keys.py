"""Which keys sign, and how they are changed without signing everybody out [ASVS 9.1, 11.2]."""

from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from app.asgi import DOMAINS
from app.lib.security.tokens import ed25519_key
from app.lib.settings import ConfigurationError
from tests.domain.auth.steps import SEND_CODE, VERIFY, bearer, refresh, sign_in, whoami
from tests.support.apps import Deployment, client_of, running_app
from tests.support.links import newest
from tests.support.people import PASSWORD, People

pytestmark = pytest.mark.asvs("9.1.1", "9.1.2", "9.1.3")

JWKS = "/.well-known/jwks.json"
OLD, NEW = "an-older-secret-for-tests-0123456789ab", "a-newer-secret-for-tests-0123456789ab"


def private_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_half(pem: str) -> str:
    key = load_pem_private_key(pem.encode(), password=None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


# The same for all tests, so that apps with these settings serve several.
PEM, NEW_PEM = private_key(), private_key()


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
    symmetric, asymmetric = await deployment.start(), await deployment.start(JWT_PRIVATE_KEY=PEM)
    person = await People(symmetric).create()
    other = await People(asymmetric).sign_in(person.id, person.email)

    async with client_of(symmetric) as here, client_of(asymmetric) as there:
        public = (await there.get(JWKS)).json()["keys"][0]
        claims = jwt.decode(other.access_token, options={"verify_signature": False})
        forged = jwt.encode(claims, public["x"], "HS256", headers={"typ": "at+jwt", "kid": public["kid"]})
        assert (await whoami(here, other.access_token)).status_code == 401
        assert (await whoami(there, person.access_token)).status_code == 401
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


async def steps(deployment: Deployment, *settings: dict[str, str]) -> tuple[list[int], list[list[str]]]:
    """One user goes through apps with these settings, one after the other, as through deployments; what became of the
    access token and the refresh token at each, and the ids of the keys that each publishes.
    """
    async with running_app(deployment.url, **settings[0]) as first:
        person = await People(first).create()
    pair = {"access_token": person.access_token, "refresh_token": person.refresh_token}
    statuses: list[int] = []
    published: list[list[str]] = []
    for each in settings:
        async with running_app(deployment.url, **each) as app, client_of(app) as client:
            statuses.append((await whoami(client, pair["access_token"])).status_code)
            refreshed = await refresh(client, pair["refresh_token"])
            statuses.append(refreshed.status_code)
            pair = refreshed.json()
            keys = (await client.get(JWKS)).json()["keys"]
            published.append([key["x"] for key in keys])
    return statuses, published


def x_of(pem: str) -> str:
    jwk = ed25519_key(pem).jwk
    assert jwk is not None
    return jwk["x"]


async def test_a_new_ed25519_key_ends_no_session_and_is_published_before_it_signs(deployment: Deployment) -> None:
    old, new = PEM, NEW_PEM

    statuses, published = await steps(
        deployment,
        {"JWT_PRIVATE_KEY": old},
        {"JWT_PRIVATE_KEY": old, "JWT_PRIVATE_KEY_FALLBACKS": new},
        {"JWT_PRIVATE_KEY": new, "JWT_PRIVATE_KEY_FALLBACKS": public_half(old)},
        {"JWT_PRIVATE_KEY": new},
    )

    assert set(statuses) == {200}
    assert published == [[x_of(old)], [x_of(old), x_of(new)], [x_of(new), x_of(old)], [x_of(new)]]


async def test_the_steps_from_a_secret_to_ed25519_and_back_end_no_session(deployment: Deployment) -> None:
    statuses, published = await steps(
        deployment,
        {"SECRET_KEY": OLD},
        {"SECRET_KEY": OLD, "JWT_PRIVATE_KEY_FALLBACKS": PEM},
        {"SECRET_KEY": OLD, "SECRET_KEY_FALLBACKS": OLD, "JWT_PRIVATE_KEY": PEM},
        {"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": OLD, "JWT_PRIVATE_KEY": PEM},
        {"SECRET_KEY": NEW, "JWT_PRIVATE_KEY_FALLBACKS": public_half(PEM)},
        {"SECRET_KEY": NEW},
    )

    assert set(statuses) == {200}
    assert [len(keys) for keys in published] == [0, 1, 1, 1, 1, 0]


async def test_a_step_without_fallbacks_refuses_access_tokens_and_ends_no_session(deployment: Deployment) -> None:
    """A secret that leaks is no key to accounts: refresh tokens need the secret of their session, too."""
    statuses, _ = await steps(deployment, {"SECRET_KEY": OLD}, {"SECRET_KEY": OLD, "JWT_PRIVATE_KEY": PEM})

    assert statuses == [200, 200, 401, 200]


async def test_a_refresh_token_of_the_key_alone_makes_no_step(deployment: Deployment) -> None:
    """One who knows what signs, but not the database, forges a token of the right generation."""
    app = await deployment.start()
    person = await People(app).create()
    header = jwt.get_unverified_header(person.refresh_token)
    claims = jwt.decode(person.refresh_token, options={"verify_signature": False})
    forged = jwt.encode({**claims, "jti": "x" * 43}, "a-key-that-is-only-for-tests-0123456789", headers=header)

    async with client_of(app) as client:
        assert (await refresh(client, forged)).status_code == 401
        assert (await refresh(client, person.refresh_token)).status_code == 200


async def test_workers_in_the_middle_of_a_change_take_each_others_tokens_for_one_step(deployment: Deployment) -> None:
    """A retry that meets a worker with another key gets another signature of the same generation; both are good."""
    before = await deployment.start(SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=NEW)
    after = await deployment.start(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD)
    person = await People(before).create()

    async with client_of(before) as old, client_of(after) as new:
        tokens = [
            (await refresh(client, person.refresh_token)).json()["refresh_token"] for client in (old, new, old, new)
        ]
        assert tokens[:2] == tokens[2:]
        assert len({jwt.decode(token, options={"verify_signature": False})["jti"] for token in tokens}) == 1
        third = [(await refresh(client, token)).status_code for client, token in zip((new, old), tokens, strict=False)]

    assert third == [200, 200]


async def test_all_else_that_the_secret_makes_is_good_with_a_fallback(deployment: Deployment) -> None:
    """Codes in mails, cursors, idempotency keys and sealed secrets, here the link of a mail."""
    deployment.domains = DOMAINS
    before = await deployment.start(SECRET_KEY=OLD)
    people = People(before)
    person, admin = await people.create(email="ada@example.com"), await people.create(is_superuser=True)
    product = {"name": "Rope", "sku": "rope-1", "price": {"amount": "9.90", "currency": "EUR"}}
    key = {"Idempotency-Key": "first", **admin.headers}
    async with client_of(before) as client:
        assert (await client.post(SEND_CODE, json={"email": person.email})).status_code == 202
        mail = await newest(before, "verify_email")
        made = await client.post("/api/v1/products", json=product, headers=key)
        assert made.status_code == 201
        page = (
            await client.get("/api/v1/users", params={"page_size": 1, "sort": "email"}, headers=admin.headers)
        ).json()

    after = await deployment.start(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD)
    assert await newest(after, "verify_email") == mail
    async with client_of(after) as client:
        again = await client.post("/api/v1/products", json=product, headers=key)
        assert (again.status_code, again.headers.get("idempotency-replayed")) == (201, "true")
        assert again.json() == made.json()
        params = {"page_size": 1, "sort": "email", "cursor": page["next_cursor"]}
        assert (await client.get("/api/v1/users", params=params, headers=admin.headers)).status_code == 200
        body = {"email": person.email, "code": mail.code, "password": PASSWORD}
        assert (await client.post(VERIFY, json=body)).status_code == 204


async def test_a_key_that_cannot_be_used_stops_the_start_and_is_not_shown(deployment: Deployment) -> None:
    for pem in ["no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]:
        with pytest.raises(ConfigurationError, match="JWT_PRIVATE_KEY") as refused:
            await deployment.start(JWT_PRIVATE_KEY=pem)

        assert "AAAA" not in str(refused.value)
        assert "no key" not in str(refused.value)
        with pytest.raises(ConfigurationError, match="JWT_PRIVATE_KEY_FALLBACKS"):
            await deployment.start(JWT_PRIVATE_KEY_FALLBACKS=pem)
    with pytest.raises(ConfigurationError, match="JWT_PRIVATE_KEY: a public key cannot sign"):
        await deployment.start(JWT_PRIVATE_KEY=public_half(private_key()))
