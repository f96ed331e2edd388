"""GET, PATCH and DELETE /users/me."""

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import delete

from app.domain.accounts.models import Profile, User, UserRole
from app.domain.auth.models import Session
from tests.domain.accounts.answers import ME, MY_PROFILE, JSONObject, audited, field_errors, is_refused, own_tag, rows
from tests.support.apps import core_of
from tests.support.people import People, Person


async def test_everybody_sees_their_own_account(people: People) -> None:
    person = await people.create(
        email="Ada.Lovelace@Example.com", name="Ada Lovelace", username="ada", permissions=["roles:read"]
    )
    async with people.client(person) as calls:
        response = await calls.get(ME)

    body = response.json()
    assert response.status_code == 200
    assert response.headers["etag"] == own_tag(1, person)
    assert body.pop("created_at") == body.pop("updated_at")
    assert body == {
        "id": str(person.id),
        "email": "Ada.Lovelace@Example.com",
        "username": "ada",
        "name": "Ada Lovelace",
        "locale": "en",
        "is_active": True,
        "is_verified": False,
        "is_superuser": False,
        "is_service": False,
        "roles": ["made-for-1"],
        "metadata": {},
        "version": 1,
    }


async def test_instants_are_utc_with_a_z(calls: httpx.AsyncClient) -> None:
    body = (await calls.get(ME)).json()

    assert body["created_at"].endswith("Z")
    assert body["updated_at"].endswith("Z")


async def test_a_patch_changes_what_it_names_and_keeps_the_rest(people: People) -> None:
    person = await people.create(name="Ada", username="ada")
    async with people.client(person) as calls:
        before = (await calls.get(ME)).json()
        response = await calls.patch(ME, json={"name": "Ada Lovelace", "locale": "en-GB"})
        after = (await calls.get(ME)).json()

    assert response.status_code == 200
    assert response.json() == after
    assert after.pop("updated_at") > before.pop("updated_at")
    assert after == before | {"name": "Ada Lovelace", "locale": "en-GB", "version": 2}
    assert response.headers["etag"] == own_tag(2, person)


async def test_null_clears_what_may_be_empty(people: People) -> None:
    person = await people.create(name="Ada", username="ada")
    async with people.client(person) as calls:
        response = await calls.patch(ME, json={"name": None, "username": None})

    assert (response.json()["name"], response.json()["username"]) == (None, None)


@pytest.mark.parametrize("patch", [{}, {"name": "Ada"}, {"name": "Ada", "username": "ada", "locale": "en"}])
async def test_a_patch_that_changes_nothing_leaves_no_trace(app: Litestar, people: People, patch: JSONObject) -> None:
    person = await people.create(name="Ada", username="ada")
    async with people.client(person) as calls:
        before = await calls.get(ME)
        profile = await calls.get(f"{ME}/profile")
        response = await calls.patch(ME, json=patch)
        profile_after = await calls.get(f"{ME}/profile")

    assert response.status_code == 200
    assert response.json() == before.json()
    assert response.headers["etag"] == before.headers["etag"]
    assert profile_after.headers["etag"] == profile.headers["etag"]
    assert await audited(app, "user.updated") == []


@pytest.mark.parametrize("media_type", ["application/json", "application/merge-patch+json", "Application/JSON"])
async def test_both_media_types_of_a_patch_are_read(calls: httpx.AsyncClient, media_type: str) -> None:
    response = await calls.patch(ME, content=b'{"name": "Ada"}', headers={"Content-Type": media_type})

    assert response.status_code == 200
    assert response.json()["name"] == "Ada"


@pytest.mark.parametrize("media_type", ["text/plain", "application/json-patch+json", "application/xml", ""])
async def test_other_media_types_are_refused_with_the_ones_that_are_read(
    calls: httpx.AsyncClient, media_type: str
) -> None:
    response = await calls.patch(ME, content=b'{"name": "Ada"}', headers={"Content-Type": media_type})

    assert is_refused(response, 415, "unsupported_media_type")
    assert response.headers["accept-patch"] == "application/json, application/merge-patch+json"


@pytest.mark.asvs("8.2.3", "15.3.3")
@pytest.mark.parametrize(
    "member",
    ["id", "email", "roles", "is_active", "is_verified", "is_superuser", "created_at", "updated_at", "version"],
)
async def test_what_is_not_theirs_to_change_is_refused(calls: httpx.AsyncClient, member: str) -> None:
    before = (await calls.get(ME)).json()

    response = await calls.patch(ME, json={"name": "Changed", member: before[member]})

    assert field_errors(response) == {f"/{member}": "unknown_field"}
    assert (await calls.get(ME)).json() == before


async def test_all_errors_come_at_once(calls: httpx.AsyncClient) -> None:
    response = await calls.patch(ME, json={"name": "A", "username": "-", "locale": None, "surname": "Lovelace"})

    assert field_errors(response) == {
        "/name": "too_short",
        "/username": "too_short",
        "/locale": "invalid_type",
        "/surname": "unknown_field",
    }


@pytest.mark.parametrize("username", ["ada", "ADA", "Ada"])
async def test_a_username_is_unique_in_any_case(people: People, username: str) -> None:
    await people.create(username="ada")
    person = await people.create(username="grace")
    async with people.client(person) as calls:
        response = await calls.patch(ME, json={"username": username, "name": "Changed"})
        after = (await calls.get(ME)).json()

    assert is_refused(response, 409, "duplicate")
    assert response.json()["errors"] == [{"pointer": "/username", "code": "not_unique", "detail": "Is taken."}]
    assert (after["username"], after["name"], after["version"]) == ("grace", None, 1)


async def test_the_spelling_of_ones_own_username_can_be_changed(people: People) -> None:
    person = await people.create(username="ada")
    async with people.client(person) as calls:
        response = await calls.patch(ME, json={"username": "Ada"})

    assert response.json()["username"] == "Ada"


@pytest.mark.asvs("7.4.2")
async def test_a_deleted_account_is_gone_with_all_that_belongs_to_it(app: Litestar, people: People) -> None:
    person = await people.create(permissions=["users:read"])
    other = await people.create()
    second = await people.sign_in(person.id, person.email)

    async with people.client(person) as calls:
        response = await calls.delete(ME)
        again = await calls.delete(ME)
    async with people.client(second) as calls:
        elsewhere = await calls.get(ME)

    assert (response.status_code, response.content) == (204, b"")
    assert is_refused(again, 401, "invalid_token")
    assert is_refused(elsewhere, 401, "invalid_token")
    assert [user.id for user in await rows(app, User)] == [other.id]
    assert [profile.user_id for profile in await rows(app, Profile)] == [other.id]
    assert [session.user_id for session in await rows(app, Session)] == [other.id]
    assert await rows(app, UserRole) == []
    deletion = (await audited(app, "user.deleted"))[0]
    assert (deletion.actor_id, deletion.subject_id, deletion.session_id) == (person.id, person.id, person.session_id)


async def test_a_refresh_token_of_a_deleted_account_is_dead(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    await client.delete(ME, headers=person.headers)

    response = await client.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token})

    assert is_refused(response, 401, "invalid_token")


async def test_deletion_heeds_if_match(people: People) -> None:
    person = await people.create()
    async with people.client(person) as calls:
        stale = await calls.delete(ME, headers={"If-Match": '"7"'})
        fresh = await calls.delete(ME, headers={"If-Match": '"1"'})

    assert is_refused(stale, 412, "precondition_failed")
    assert fresh.status_code == 204


async def test_the_address_of_a_deleted_account_is_free_again(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create(email="ada@example.com", username="ada")
    await client.delete(ME, headers=person.headers)

    again: Person = await people.create(email="ada@example.com", username="ada")

    assert again.id != person.id


async def test_changes_of_ones_own_account_are_audited(app: Litestar, people: People) -> None:
    person = await people.create(name="Ada")
    async with people.client(person) as calls:
        await calls.patch(ME, json={"name": "Ada", "username": "ada", "locale": "de"})

    entry = (await audited(app, "user.updated"))[0]
    assert (entry.actor_id, entry.subject_id) == (person.id, person.id)
    assert entry.details == {"fields": ["locale", "username"]}


async def test_an_account_that_another_worker_deleted_is_no_longer_signed_in(app: Litestar, people: People) -> None:
    """This worker may remember the caller for a second; what it answers then is the same as later."""
    person = await people.create()
    async with people.client(person) as calls:
        assert (await calls.get(ME)).status_code == 200
        async with core_of(app).database.independent() as unit:
            await unit.session.execute(delete(User).where(User.id == person.id))

        answers = [
            await calls.get(ME),
            await calls.patch(ME, json={"name": "Ada"}),
            await calls.get(MY_PROFILE),
            await calls.put(MY_PROFILE, json={}),
            await calls.delete(ME),
        ]

    assert all(is_refused(answer, 401, "invalid_token") for answer in answers)
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer error="invalid_token"'}
