"""Registration where addresses are not verified first: the default."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from tests.domain.auth.steps import (
    REGISTER,
    a_few_at_a_time,
    audited,
    emails,
    fields,
    sign_in,
    warm,
    whoami,
)
from tests.support.people import PASSWORD, People, RegistrationFactory

SHOWN = {
    "id",
    "email",
    "username",
    "name",
    "locale",
    "is_active",
    "is_verified",
    "is_superuser",
    "is_service",
    "metadata",
    "roles",
    "created_at",
    "updated_at",
    "version",
}


async def register(client: httpx.AsyncClient, **members: Any) -> httpx.Response:
    return await client.post(REGISTER, json={"email": "ada@example.com", "password": PASSWORD, **members})


async def test_a_registered_user_can_sign_in(client: httpx.AsyncClient) -> None:
    response = await register(client, email="Ada@Example.com", name="Ada Lovelace", username="Ada")

    assert response.status_code == 201
    user = response.json()
    assert response.headers["location"] == f"/api/v1/users/{user['id']}"
    assert response.headers["cache-control"] == "no-store"
    assert set(user) == SHOWN
    assert (user["email"], user["name"], user["username"]) == ("Ada@Example.com", "Ada Lovelace", "Ada")
    assert (user["is_active"], user["is_verified"], user["is_superuser"], user["roles"]) == (True, False, False, [])
    tokens = (await sign_in(client, "ada@example.com")).json()
    assert (await whoami(client, tokens["access_token"])).json()["id"] == user["id"]
    own = await client.get(response.headers["location"], headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert own.status_code == 200


async def test_everything_a_factory_makes_is_accepted(client: httpx.AsyncClient) -> None:
    for registration in RegistrationFactory.batch(3):
        assert (await register(client, email=registration.email, name=registration.name)).status_code == 201


@pytest.mark.asvs("2.2.1")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("ada@example.com", "ADA@EXAMPLE.COM", id="case"),
        pytest.param("ada@example.com", "\uff21da@example.com", id="full-width letters"),
        pytest.param("stra\u00dfe@example.com", "STRASSE@example.com", id="sharp s"),
        pytest.param("jos\u00e9@example.com", "jose\u0301@example.com", id="composed and decomposed"),
        pytest.param("ada@b\u00fccher.example", "ada@xn--bcher-kva.example", id="IDNA"),
        pytest.param("ada@B\u00dcCHER.example", "ada@bu\u0308cher.example", id="IDNA, case and composition"),
    ],
)
async def test_an_address_is_taken_in_every_spelling(
    client: httpx.AsyncClient, app: Litestar, first: str, second: str
) -> None:
    assert (await register(client, email=first)).status_code == 201

    response = await register(client, email=second)

    assert response.status_code == 409
    assert response.json()["code"] == "duplicate"
    assert fields(response) == {"/email": "not_unique"}
    assert len(await emails(app)) == 1


async def test_a_username_is_taken_in_every_case(client: httpx.AsyncClient, app: Litestar) -> None:
    assert (await register(client, username="Grace.Hopper")).status_code == 201

    response = await register(client, email="other@example.com", username="grace.HOPPER")

    assert response.status_code == 409
    assert response.json()["code"] == "duplicate"
    assert fields(response) == {"/username": "not_unique"}
    assert await emails(app) == ["ada@example.com"]


async def test_of_thirty_parallel_registrations_of_one_address_one_succeeds(
    client: httpx.AsyncClient, app: Litestar
) -> None:
    await warm(app)
    responses = await asyncio.gather(*(register(client, email=f"{'aA'[n % 2]}da@example.com") for n in range(30)))

    statuses = sorted(response.status_code for response in responses)
    assert statuses == [201] + [409] * 29
    assert len(await emails(app)) == 1


@pytest.mark.asvs("6.2.1", "6.2.4", "6.2.11")
@pytest.mark.parametrize(
    ("password", "code"),
    [
        pytest.param("seven77", "too_short", id="too short"),
        pytest.param("x" * 1025, "too_long", id="too long"),
        pytest.param("Password123", "weak_password", id="common"),
        pytest.param("Dragon12!", "weak_password", id="common with a capital, digits and a sign"),
        pytest.param("        ", "weak_password", id="spaces"),
        pytest.param("zzzzzzzz", "weak_password", id="one character"),
        pytest.param("wxyz6789", "weak_password", id="sequences"),
        pytest.param("my-Countess-of-code", "weak_password", id="local part of the address"),
        pytest.param("lovelace 1815 x", "weak_password", id="own name"),
        pytest.param("the enchantress", "weak_password", id="own username"),
        pytest.param("Lodestar is mine", "weak_password", id="name of the service"),
        pytest.param("with a \0 in it", "invalid_format", id="NUL"),
        pytest.param("", "too_short", id="empty"),
        pytest.param(None, "invalid_type", id="null"),
        pytest.param(12345678, "invalid_type", id="number"),
    ],
)
async def test_a_bad_password_is_refused_and_says_why(
    client: httpx.AsyncClient, app: Litestar, password: Any, code: str
) -> None:
    response = await register(
        client, email="countess@example.com", password=password, name="Ada Lovelace", username="enchantress"
    )

    assert response.status_code == 422
    assert fields(response) == {"/password": code}
    assert not password or str(password) not in response.text
    assert await emails(app) == []


@pytest.mark.asvs("6.2.5", "6.2.8", "6.2.9")
@pytest.mark.parametrize(
    "password",
    ["  spaces around  ", "caf\u00e9 or cafe\u0301", "\u2603\u2604\u2605\u2606" * 2 + "\u2607", "alllowercase but odd"],
)
async def test_a_password_counts_exactly_as_given(client: httpx.AsyncClient, password: str) -> None:
    assert (await register(client, password=password)).status_code == 201

    assert (await sign_in(client, "ada@example.com", password)).status_code == 200
    assert (await sign_in(client, "ada@example.com", password[:-1])).status_code == 401
    assert (await sign_in(client, "ada@example.com", password + " ")).status_code in {401, 422}
    assert (await sign_in(client, "ada@example.com", f" {password}"[:1024])).status_code == 401


@pytest.mark.asvs("15.3.3")
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("id", "01890000-0000-7000-8000-000000000000"),
        ("is_superuser", True),
        ("is_active", True),
        ("is_verified", True),
        ("roles", ["admin"]),
        ("permissions", ["users:write"]),
        ("password_hash", "$argon2id$"),
        ("email_key", "x@example.com"),
        ("locale", "de"),
        ("version", 7),
        ("Password", "another one"),
        ("surprise", None),
    ],
)
async def test_members_that_are_not_writable_are_refused(
    client: httpx.AsyncClient, app: Litestar, member: str, value: object
) -> None:
    response = await register(client, **{member: value})

    assert response.status_code == 422
    assert fields(response) == {f"/{member}": "unknown_field"}
    assert await emails(app) == []


async def test_all_that_is_wrong_is_said_at_once(client: httpx.AsyncClient) -> None:
    response = await client.post(REGISTER, json={"email": "no address", "name": "A", "is_superuser": True})

    assert response.status_code == 422
    assert fields(response) == {
        "/email": "invalid_format",
        "/name": "too_short",
        "/is_superuser": "unknown_field",
        "/password": "required",
    }


@pytest.mark.parametrize(
    "email",
    [
        "ada@example.com\r\nBcc: all@example.com",
        "ada\n@example.com",
        "ada\u2028@example.com",
        "ada\u202e@example.com",
        "<ada@example.com>",
        "Ada <ada@example.com>",
        "ada@example.com,bob@example.com",
        "ada@@example.com",
        "ada@localhost",
        "ada@[127.0.0.1]",
        '"a da"@example.com',
        "ada@exa mple.com",
        "a" * 250 + "@example.com",
        "@example.com",
        "ada",
        "",
    ],
)
async def test_what_is_no_address_or_could_reach_a_header_is_refused(client: httpx.AsyncClient, email: str) -> None:
    response = await register(client, email=email)

    assert response.status_code == 422
    assert set(fields(response)) == {"/email"}
    assert not email or email not in response.text.replace(response.json()["request_id"], "")


@pytest.mark.asvs("16.3.1")
async def test_a_registration_is_audited_without_its_secrets(client: httpx.AsyncClient, app: Litestar) -> None:
    response = await client.post(
        REGISTER,
        json={"email": "ada@example.com", "password": PASSWORD},
        headers={"X-Request-ID": "a-request-0001", "User-Agent": "curl/8"},
    )

    (event,) = await audited(app, "user.registered")
    assert event.subject_id == UUID(response.json()["id"])
    assert (event.address, event.client_request_id, event.user_agent) == ("203.0.113.7", "a-request-0001", "curl/8")
    assert PASSWORD not in repr(event)


async def test_an_idempotency_key_replays_nothing_here(client: httpx.AsyncClient) -> None:
    body, key = {"email": "ada@example.com", "password": PASSWORD}, {"Idempotency-Key": "the-same-key"}

    assert (await client.post(REGISTER, json=body, headers=key)).status_code == 201
    assert (await client.post(REGISTER, json=body, headers=key)).status_code == 409


@pytest.mark.usefixtures("clock")
async def test_an_address_can_be_registered_so_often_in_an_hour(app: Litestar, people: People) -> None:
    """For all clients and addresses: each attempt may send its owner a mail."""
    await people.create(email="ada@example.com")

    async def attempt(number: int) -> httpx.Response:
        async with people.client(address=f"198.51.100.{number % 4}") as stranger:
            return await register(stranger, email=f"{'aA'[number % 2]}da@example.com", password=f"{PASSWORD} {number}")

    statuses = [response.status_code for response in await a_few_at_a_time(attempt(n) for n in range(60))]
    assert statuses == [409] * 60
    async with people.client(address="198.51.100.99") as stranger:
        refused = await register(stranger)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert (await register(stranger, email="free@example.com")).status_code == 201


@pytest.mark.asvs("6.2.8")
async def test_composed_and_decomposed_spellings_are_the_same_password(client: httpx.AsyncClient) -> None:
    """Keyboards and systems differ in how they write an umlaut."""
    composed, decomposed = "sch\u00f6ne gr\u00fcne T\u00fcr", "scho\u0308ne gru\u0308ne Tu\u0308r"
    await register(client, email="ada@example.com", password=decomposed)
    await register(client, email="eve@example.com", password=composed)

    for email in ("ada@example.com", "eve@example.com"):
        for password in (composed, decomposed):
            assert (await sign_in(client, email, password)).status_code == 200
        assert (await sign_in(client, email, "schone grune Tur")).status_code == 401
