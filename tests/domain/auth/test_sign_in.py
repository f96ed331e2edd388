"""Sign-in over HTTP: what it takes and what it gives."""

import asyncio
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import jwt
import pytest
from argon2 import PasswordHasher
from litestar import Litestar

from app.asgi import create_app
from tests.domain.auth.steps import (
    LOGIN,
    audited,
    change_user,
    fields,
    session_row,
    sign_in,
    user_row,
    whoami,
)
from tests.support.apps import Deployment, client_of, running, settings_for
from tests.support.people import PASSWORD, People

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_the_right_password_gives_a_pair_of_tokens(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create(email="Ada@Example.com")

    response = await client.post(LOGIN, data={"username": "ada@example.com", "password": PASSWORD})

    assert response.status_code == 200
    tokens = response.json()
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 600
    assert (await whoami(client, tokens["access_token"])).json()["id"] == str(person.id)
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("ada@b\u00fccher.example", id="as registered"),
        pytest.param("ADA@B\u00dcCHER.EXAMPLE", id="case"),
        pytest.param("ada@xn--bcher-kva.example", id="IDNA"),
        pytest.param("\uff41da@bu\u0308cher.example", id="compatibility forms"),
        pytest.param("  ada@b\u00fccher.example ", id="space around"),
        pytest.param("countess", id="username"),
        pytest.param("CounTess", id="username, case"),
        pytest.param("\uff23ountess", id="username, full-width"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "form"])
async def test_an_account_is_found_by_every_spelling_of_its_names(
    client: httpx.AsyncClient, people: People, name: str, as_json: bool
) -> None:
    person = await people.create(email="ada@b\u00fccher.example", username="Countess")
    body: Any = {"username": name, "password": PASSWORD}

    response = await (client.post(LOGIN, json=body) if as_json else client.post(LOGIN, data=body))

    assert response.status_code == 200
    assert (await whoami(client, response.json()["access_token"])).json()["id"] == str(person.id)


async def test_the_address_may_come_as_email(client: httpx.AsyncClient, people: People) -> None:
    await people.create(email="ada@example.com", username="countess")

    for body in ({"email": "Ada@example.com"}, {"email": "countess"}):
        assert (await client.post(LOGIN, json={**body, "password": PASSWORD})).status_code == 200
        assert (await client.post(LOGIN, data={**body, "password": PASSWORD})).status_code == 200


@pytest.mark.parametrize(
    "extra",
    [
        {"grant_type": "password"},
        {"grant_type": ""},
        {"scope": ""},
        {"scope": "users:read openid"},
        {"client_id": "", "client_secret": ""},
        {"client_id": "docs", "client_secret": "********"},
        {"grant_type": "password", "scope": "", "client_id": "string", "client_secret": "string"},
    ],
    ids=str,
)
async def test_what_docs_pages_send_along_is_ignored(
    client: httpx.AsyncClient, people: People, extra: dict[str, str]
) -> None:
    person = await people.create()

    body = {"username": person.email, "password": PASSWORD, **extra}
    assert (await client.post(LOGIN, data=body)).status_code == 200
    assert (await client.post(LOGIN, json=body)).status_code == 200


@pytest.mark.parametrize(
    "authorization", ["Basic Og==", "Basic", "Basic ZG9jczpzZWNyZXQ=", "Bearer expired", "Bearer", "\x7f", ""]
)
async def test_an_authorization_header_means_nothing_here(
    client: httpx.AsyncClient, people: People, authorization: str
) -> None:
    """Docs pages send an empty Basic header, and clients the token that has just expired."""
    person = await people.create()

    response = await client.post(
        LOGIN, data={"username": person.email, "password": PASSWORD}, headers={"Authorization": authorization}
    )

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"username": "ada"}, {"/password": "required"}),
        ({"password": "x"}, {"/username": "required"}),
        ({"username": "", "password": "x"}, {"/username": "too_short"}),
        ({"username": "ada", "password": ""}, {"/password": "too_short"}),
        ({"username": "ada", "email": "ada", "password": "x"}, {"/email": "invalid_choice"}),
        ({"username": "ada", "password": "x", "remember": "1"}, {"/remember": "unknown_field"}),
        ({"username": "ada", "password": "x", "grant_type": "client_credentials"}, {"/grant_type": "invalid_choice"}),
        ({"username": "ada", "password": "x", "grant_type": "null"}, {"/grant_type": "invalid_choice"}),
        ({"username": "a" * 321, "password": "x"}, {"/username": "too_long"}),
        ({"username": "ada", "password": "x" * 10_000}, {"/password": "too_long"}),
        ({"username": "a\0da", "password": "x"}, {"/username": "invalid_format"}),
        ({"username": "ada", "password": "x\0y"}, {"/password": "invalid_format"}),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_a_mistake_is_said_alike_for_both_media_types(
    client: httpx.AsyncClient, body: dict[str, str], errors: dict[str, str]
) -> None:
    as_json, as_form = await client.post(LOGIN, json=body), await client.post(LOGIN, data=body, headers=FORM)

    assert as_json.status_code == 422
    assert fields(as_json) == errors
    assert as_form.status_code == 400
    assert fields(as_form) == errors
    assert "error" not in as_json.json()
    assert set(as_form.json()) == set(as_json.json()) | {"error", "error_description"}


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b'{"username":"ada","password":"\\ud800\\ud800"}', 400),
        ("application/json", b'{"username":"\\udfff","password":"x"}', 400),
        ("application/json", b'{"username":"ada","password":"\xff\xfe"}', 400),
        ("application/json", '{"username":"ada","password":"x"}'.encode("utf-16"), 400),
        ("application/json", b"[" * 15_000, 400),
        ("application/json", b"[" * 100_000, 413),
        ("application/json", b'{"username":{"a":1},"password":["x"]}', 422),
        ("application/json", b'{"username":1e400,"password":123456789012345678901234567890}', 422),
        ("application/json", b"null", 422),
        ("application/json", b"", 422),
        ("application/x-www-form-urlencoded", b"username=ada&password=%ff%fe", 400),
        ("application/x-www-form-urlencoded", b"username=ada&password=%ED%A0%80", 400),
        ("application/x-www-form-urlencoded", b"username=ada&username=eve&password=x", 400),
        ("application/x-www-form-urlencoded", b"a=1&" * 3_000, 400),
        ("application/x-www-form-urlencoded", b"a=1&" * 100_000, 413),
        ("application/x-www-form-urlencoded", b"%%%&&&===", 400),
        ("application/x-www-form-urlencoded", b"", 400),
        ("text/plain", b'{"username":"ada","password":"x"}', 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("", b"username=ada&password=x", 415),
    ],
)
async def test_no_body_makes_it_fail(client: httpx.AsyncClient, content_type: str, body: bytes, status: int) -> None:
    response = await client.post(LOGIN, content=body, headers={"Content-Type": content_type})

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("form", "error", "description"),
    [
        ({}, "invalid_request", "1 error in the request. A request body is required."),
        ({"username": "ada"}, "invalid_request", "1 error in the request. password: Is required."),
        (
            {"grant_type": "client_credentials", "scope": "x"},
            "unsupported_grant_type",
            "2 errors in the request. ",
        ),
        (
            {"username": "ada", "password": "x", "scope": "x" * 1_001},
            "invalid_scope",
            "1 error in the request. scope: Must have at most 1000 characters.",
        ),
        ({"username": "ada", "password": "x", 'r\u00e4"\\': "1"}, "invalid_request", "1 error in the request. r???: "),
        ({"username": "ada", "password": "x", "grant_type": ["password"] * 2}, "invalid_request", "1 error in the "),
        ({"username": "ada", "password": "\udc80"}, "invalid_request", "The request body is not a form in UTF-8."),
        ({"username": "ada", "password": "x"}, "invalid_grant", "The user name or the password is not right."),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_oauth2_clients_read_what_is_wrong_with_a_form(
    client: httpx.AsyncClient, form: dict[str, str], error: str, description: str
) -> None:
    """RFC 6749 section 5.2; wrong credentials are 401 by the contract of all routes."""
    body = urlencode(form, doseq=True, errors="surrogateescape")
    response = await client.post(LOGIN, content=body, headers=FORM)

    assert response.status_code == (401 if error == "invalid_grant" else 400)
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["error"] == error
    assert problem["error_description"].startswith(description)
    assert {"type", "title", "status", "code", "detail", "instance", "request_id"} <= set(problem)


@pytest.mark.asvs("6.2.8")
async def test_a_password_is_not_read_in_another_spelling(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    for other in (PASSWORD.upper(), f" {PASSWORD}", f"{PASSWORD}\n", PASSWORD.replace("a", "\uff41"), PASSWORD[:-1]):
        assert (await sign_in(client, person.email, other)).status_code == 401


@pytest.mark.asvs("9.2.1", "9.1.1")
async def test_the_tokens_say_what_they_are(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    tokens = (await sign_in(client, person.email)).json()

    access = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    refresh = jwt.decode(tokens["refresh_token"], options={"verify_signature": False})
    assert set(access) == {"iss", "aud", "sub", "sid", "type", "jti", "iat", "exp"}
    assert set(refresh) == set(access) | {"generation"}
    assert (access["sub"], access["type"], refresh["type"]) == (str(person.id), "access", "refresh")
    assert access["exp"] - access["iat"] == 600
    assert refresh["exp"] - refresh["iat"] == 14 * 86_400
    assert jwt.get_unverified_header(tokens["access_token"])["typ"] == "at+jwt"
    assert jwt.get_unverified_header(tokens["refresh_token"])["typ"] == "rt+jwt"


async def test_each_sign_in_is_a_session_of_its_own(client: httpx.AsyncClient, people: People, app: Litestar) -> None:
    person = await people.create()

    responses = [
        await client.post(
            LOGIN, data={"username": person.email, "password": PASSWORD}, headers={"User-Agent": f"phone {number}\x01"}
        )
        for number in range(2)
    ]

    ids = [jwt.decode(r.json()["access_token"], options={"verify_signature": False})["sid"] for r in responses]
    assert len({*ids, str(person.session_id)}) == 3
    row = await session_row(app, UUID(ids[1]))
    assert (row.user_id, row.address, row.user_agent) == (person.id, "203.0.113.7", "phone 1")
    assert row.authenticated_at == row.created_at == row.last_seen_at


@pytest.mark.asvs("16.3.1")
async def test_what_comes_of_it_is_audited_with_its_origin(
    client: httpx.AsyncClient, people: People, app: Litestar
) -> None:
    person = await people.create()

    for password, request_id in ((PASSWORD, "the-right-one"), ("a wrong one", "the-wrong-one")):
        await client.post(
            LOGIN,
            data={"username": person.email, "password": password},
            headers={"X-Request-ID": request_id, "User-Agent": "curl/8"},
        )
    await sign_in(client, "unknown-user@example.com", "a wrong one")

    (ok,) = await audited(app, "sign_in.ok")
    wrong, unknown = await audited(app, "sign_in.failed")
    assert (ok.subject_id, ok.address, ok.user_agent, ok.client_request_id) == (
        person.id, "203.0.113.7", "curl/8", "the-right-one",
    )  # fmt: skip
    assert (wrong.subject_id, wrong.address, wrong.client_request_id) == (person.id, "203.0.113.7", "the-wrong-one")
    assert unknown.subject_id is None
    assert "a wrong one" not in repr([ok, wrong, unknown])
    assert "unknown-user" not in repr(unknown)  # people type passwords into the field for the name


@pytest.mark.asvs("11.4.2")
async def test_passwords_are_kept_as_owasp_advises_and_weaker_hashes_renewed_at_sign_in(deployment: Deployment) -> None:
    """By the app as it is made: others of tests hash more quickly."""
    current, email = "$argon2id$v=19$m=19456,t=2,p=1$", "ada@example.com"
    async with running(create_app(settings_for(deployment.url))) as app, client_of(app) as client:
        registered = await client.post("/api/v1/auth/register", json={"email": email, "password": PASSWORD})
        user_id = UUID(registered.json()["id"])
        assert (await user_row(app, user_id)).password_hash.startswith(current)
        await change_user(app, user_id, password_hash=PasswordHasher(1, 8_192, 1).hash(PASSWORD))
        before = await user_row(app, user_id)

        assert (await sign_in(client, email, "a wrong one")).status_code == 401
        assert (await user_row(app, user_id)).password_hash == before.password_hash
        assert (await sign_in(client, email)).status_code == 200

        after = await user_row(app, user_id)
        assert after.password_hash.startswith(current)
        assert (after.version, after.updated_at) == (before.version, before.updated_at)
        assert (await sign_in(client, email)).status_code == 200
        assert (await user_row(app, user_id)).password_hash == after.password_hash


async def test_sign_ins_that_renew_a_hash_at_once_all_succeed(
    client: httpx.AsyncClient, people: People, app: Litestar
) -> None:
    person = await people.create()
    await change_user(app, person.id, password_hash=PasswordHasher(1, 8_192, 1).hash(PASSWORD))

    responses = await asyncio.gather(*(sign_in(client, person.email) for _ in range(6)))

    assert [response.status_code for response in responses] == [200] * 6
