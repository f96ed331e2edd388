"""What members of accounts may be, on the way in and on the way out."""

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.models import User
from tests.domain.accounts.answers import ME, USERS, JSONObject, field_errors, is_refused, rows
from tests.support.people import PASSWORD, People

NEW: JSONObject = {"email": "ada@example.com", "password": PASSWORD}

BAD_MEMBERS: list[tuple[str, object, str]] = [
    ("name", "A", "too_short"),
    ("name", "", "too_short"),
    ("name", "n" * 101, "too_long"),
    ("name", "   ", "invalid_format"),
    ("name", "Ada\nBcc: all@example.com", "invalid_format"),
    ("name", "Ada\r\nX-Evil: 1", "invalid_format"),
    ("name", "Ada\u2028Lovelace", "invalid_format"),
    ("name", "Ada\u0000", "invalid_format"),
    ("name", "Ada\u001b[31m", "invalid_format"),
    ("name", "\u202eecalevoL", "invalid_format"),
    ("name", 5, "invalid_type"),
    ("name", ["Ada"], "invalid_type"),
    ("username", "ab", "too_short"),
    ("username", "u" * 31, "too_long"),
    ("username", "-ada", "invalid_format"),
    ("username", "ada.", "invalid_format"),
    ("username", "ada lovelace", "invalid_format"),
    ("username", "ada@home", "invalid_format"),
    ("username", "ádámka", "invalid_format"),
    ("username", "ada\n", "invalid_format"),
    ("locale", "english", "too_long"),
    ("locale", "EN", "invalid_format"),
    ("locale", "en_GB", "invalid_format"),
    ("locale", "en\n", "invalid_format"),
    ("locale", None, "invalid_type"),
    ("email", "ada", "invalid_format"),
    ("email", "@example.com", "invalid_format"),
    ("email", "ada@", "invalid_format"),
    ("email", "ada@localhost", "invalid_format"),
    ("email", "ada@exa mple.com", "invalid_format"),
    ("email", "ada@example.com\n", "invalid_format"),
    ("email", "ada@example.com\r\nBcc: all@example.com", "invalid_format"),
    ("email", "Ada <ada@example.com>", "invalid_format"),
    ("email", "ada@[127.0.0.1]", "invalid_format"),
    ("email", "a" * 65 + "@example.com", "invalid_format"),
    ("email", "a@" + "b" * 250 + ".com", "too_long"),
    ("email", "a..b@example.com", "invalid_format"),
    ("email", "ada\u0000@example.com", "invalid_format"),
    ("email", "ada@example.com, grace@example.com", "invalid_format"),
    ("email", None, "invalid_type"),
    ("email", {"address": "ada@example.com"}, "invalid_type"),
    ("is_verified", "true", "invalid_type"),
    ("is_verified", 1, "invalid_type"),
    ("is_verified", None, "invalid_type"),
    ("is_superuser", "false", "invalid_type"),
    ("is_superuser", None, "invalid_type"),
]


@pytest.mark.caller("superuser")
@pytest.mark.parametrize("member", sorted({member for member, _, _ in BAD_MEMBERS}))
async def test_members_have_bounds(app: Litestar, calls: httpx.AsyncClient, people: People, member: str) -> None:
    url = f"{USERS}/{(await people.create(name='Unchanged')).id}"

    for value, code in [(value, code) for name, value, code in BAD_MEMBERS if name == member]:
        created = await calls.post(USERS, json=NEW | {member: value})
        patched = await calls.patch(url, json={"name": "Changed"} | {member: value})
        assert (value, field_errors(created)) == (value, {f"/{member}": code})
        assert (value, field_errors(patched)) == (value, {f"/{member}": code})
        if isinstance(value, str) and value.strip() and not member.startswith("is_"):
            assert value not in created.text.replace(created.json()["request_id"], "")

    assert {user.name for user in await rows(app, User)} == {None, "Unchanged"}


@pytest.mark.caller("users:write")
@pytest.mark.parametrize("member", ["id", "roles", "is_active", "created_at", "updated_at", "version", "password_hash"])
async def test_members_that_are_not_writable_are_refused(calls: httpx.AsyncClient, people: People, member: str) -> None:
    person = await people.create()

    created = await calls.post(USERS, json=NEW | {member: None})
    patched = await calls.patch(f"{USERS}/{person.id}", json={member: None})

    assert field_errors(created) == {f"/{member}": "unknown_field"}
    assert field_errors(patched) == {f"/{member}": "unknown_field"}


@pytest.mark.caller("users:write")
async def test_the_password_of_another_user_cannot_be_patched(calls: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    response = await calls.patch(f"{USERS}/{person.id}", json={"password": "another fine day"})

    assert field_errors(response) == {"/password": "unknown_field"}


@pytest.mark.caller("users:write")
async def test_all_errors_of_a_new_account_come_at_once(calls: httpx.AsyncClient) -> None:
    response = await calls.post(
        USERS, json={"name": "A", "username": "-x-", "locale": "x", "is_verified": "no", "surname": "Lovelace"}
    )

    assert field_errors(response) == {
        "/email": "required",
        "/password": "required",
        "/name": "too_short",
        "/username": "invalid_format",
        "/locale": "too_short",
        "/is_verified": "invalid_type",
        "/surname": "unknown_field",
    }


@pytest.mark.caller("users:write")
async def test_a_bad_address_and_a_weak_password_are_reported_together(calls: httpx.AsyncClient) -> None:
    response = await calls.post(USERS, json={"email": "ada@localhost", "password": "7 chars"})

    assert field_errors(response) == {"/email": "invalid_format", "/password": "too_short"}


@pytest.mark.asvs("6.2.1", "6.2.4", "6.2.11")
@pytest.mark.caller("users:write")
@pytest.mark.parametrize("password", ["7 chars", "password1", "my Lovelace 1815", "countess!", "ada.king@work"])
async def test_an_administrator_cannot_give_a_weak_password(calls: httpx.AsyncClient, password: str) -> None:
    person = {"email": "ada.king@example.com", "name": "Ada Lovelace", "username": "countess"}

    response = await calls.post(USERS, json=person | {"password": password})

    assert set(field_errors(response)) == {"/password"}
    assert password not in response.text


@pytest.mark.caller("users:write", "users:read")
@pytest.mark.parametrize(
    "name",
    ["عائشة بنت أبي بكر", "שרה", "Zoë Ångström", "李小龙", "Ada 👩‍🚀", "ﷺ" * 100, "n" * 100, "Robert'); DROP TABLE"],
)
async def test_names_of_all_scripts_are_kept_as_typed(calls: httpx.AsyncClient, name: str) -> None:
    made = (await calls.post(USERS, json=NEW | {"name": name})).json()
    found = (await calls.get(USERS, params={"q": name[:20]})).json()

    assert made["name"] == name
    assert [user["name"] for user in found["items"]] == [name]


@pytest.mark.caller("users:write")
@pytest.mark.parametrize(
    "email",
    [
        "a@b.co",
        "Ada+news@Example.COM",
        "o'brien@example.com",
        "用户@例子.广告",
        "ada@bücher.example",
        "a" * 64 + "@example.com",
    ],
)
async def test_addresses_are_kept_as_typed(calls: httpx.AsyncClient, email: str) -> None:
    response = await calls.post(USERS, json=NEW | {"email": email})

    assert (response.status_code, response.json()["email"]) == (201, email)


@pytest.mark.caller("users:write")
async def test_two_spellings_of_one_international_domain_are_one_address(calls: httpx.AsyncClient) -> None:
    await calls.post(USERS, json=NEW | {"email": "ada@bücher.example"})

    response = await calls.post(USERS, json=NEW | {"email": "ada@xn--bcher-kva.example"})

    assert is_refused(response, 409, "duplicate")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "validation_failed"),
        (b"null", 422, "validation_failed"),
        (b"[]", 422, "validation_failed"),
        (b'"text"', 422, "validation_failed"),
        (b"{", 400, "malformed_json"),
        (b'{"name": "Ada",}', 400, "malformed_json"),
        (b'{"name": NaN}', 400, "malformed_json"),
        (b'{"name": "\xff\xfe"}', 400, "malformed_json"),
        ('{"name": "Ada"}'.encode("utf-16"), 400, "malformed_json"),
        (b'{"name": "\\ud800"}', 400, "malformed_json"),
        (b"[" * 15_000, 400, "malformed_json"),
        (b"[" * 100_000, 413, "payload_too_large"),
        (b'{"name": 123456789012345678901234567890}', 422, "validation_failed"),
        (b'{"name": 1e999}', 422, "validation_failed"),
    ],
)
async def test_no_body_makes_a_server_error(calls: httpx.AsyncClient, content: bytes, status: int, code: str) -> None:
    response = await calls.patch(ME, content=content, headers={"Content-Type": "application/json"})

    assert is_refused(response, status, code)


async def test_of_members_with_the_same_name_the_last_one_counts(calls: httpx.AsyncClient) -> None:
    response = await calls.patch(
        ME, content=b'{"name": "First", "name": "Last"}', headers={"Content-Type": "application/json"}
    )

    assert response.json()["name"] == "Last"
