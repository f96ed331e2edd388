"""POST /users; GET, PATCH and DELETE /users/{id}; activation."""

from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.models import Profile, User, UserRole
from app.domain.auth.models import Session
from tests.domain.accounts.answers import ME, USERS, JSONObject, audited, field_errors, is_refused, rows
from tests.support.people import PASSWORD, People

NEW: JSONObject = {"email": "Ada@Example.com", "password": PASSWORD}
ADMIN = ("users:read", "users:write", "users:delete")


@pytest.mark.caller("users:write")
async def test_an_account_is_made_with_its_location_and_etag(calls: httpx.AsyncClient, people: People) -> None:
    response = await calls.post(
        USERS, json=NEW | {"name": "Ada Lovelace", "username": "ada", "locale": "en-GB", "is_verified": True}
    )

    body = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/api/v1/users/{body['id']}"
    assert response.headers["etag"] == '"1"'
    assert body.pop("id")
    assert body.pop("created_at") == body.pop("updated_at")
    assert body == {
        "email": "Ada@Example.com",
        "username": "ada",
        "name": "Ada Lovelace",
        "locale": "en-GB",
        "is_active": True,
        "is_verified": True,
        "is_superuser": False,
        "is_service": False,
        "roles": [],
        "metadata": {},
        "version": 1,
    }
    reader = await people.create(permissions=["users:read"])
    shown = await calls.get(response.headers["location"], headers=reader.headers)
    assert shown.json() == response.json()


@pytest.mark.caller("users:write")
async def test_a_user_needs_only_an_address_and_a_password_and_can_sign_in(calls: httpx.AsyncClient) -> None:
    user = (await calls.post(USERS, json=NEW)).json()
    assert (user["name"], user["username"], user["locale"]) == (None, None, "en")
    assert (user["is_active"], user["is_verified"], user["is_superuser"]) == (True, False, False)

    tokens = await calls.post("/api/v1/auth/login", json={"email": "ada@example.com", "password": PASSWORD})
    headers = {"Authorization": f"Bearer {tokens.json()['access_token']}"}

    assert (await calls.get(ME, headers=headers)).json() == user
    assert (await calls.get(f"{ME}/profile", headers=headers)).status_code == 200


@pytest.mark.caller("users:write")
async def test_a_taken_address_or_username_is_a_duplicate(
    app: Litestar, calls: httpx.AsyncClient, people: People
) -> None:
    await people.create(email="ada@example.com", username="countess")
    before = len(await rows(app, User))
    for taken, pointer in [
        ({"email": "ADA@example.com"}, "/email"),
        ({"email": "ada@EXAMPLE.COM"}, "/email"),
        ({"email": "\uff41da@example.com"}, "/email"),
        ({"email": "else@example.com", "username": "COUNTESS"}, "/username"),
    ]:
        response = await calls.post(USERS, json=NEW | taken)

        assert is_refused(response, 409, "duplicate")
        assert [(e["pointer"], e["code"]) for e in response.json()["errors"]] == [(pointer, "not_unique")]
        assert len(await rows(app, User)) == before
        assert await audited(app, "user.created") == []


@pytest.mark.caller(*ADMIN)
async def test_an_account_is_shown(calls: httpx.AsyncClient, people: People) -> None:
    person = await people.create(name="Ada")

    response = await calls.get(f"{USERS}/{person.id}")

    assert (response.status_code, response.headers["etag"]) == (200, '"1"')
    assert response.json() == (await calls.get(ME, headers=person.headers)).json()


@pytest.mark.caller(*ADMIN)
async def test_an_expanded_account_has_its_profile_and_no_etag(calls: httpx.AsyncClient, people: People) -> None:
    person = await people.create(name="Ada")

    plain = await calls.get(f"{USERS}/{person.id}")
    expanded = await calls.get(f"{USERS}/{person.id}", params={"expand": "profile"})

    profile = expanded.json().pop("profile")
    assert "etag" not in expanded.headers
    assert expanded.json() == plain.json() | {"profile": profile}
    assert (profile["user_id"], profile["full_name"]) == (str(person.id), "Ada")


@pytest.mark.caller(*ADMIN)
async def test_only_what_is_listed_can_be_expanded(calls: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    for expand in ["roles", "profile,roles", "", "Profile"]:
        response = await calls.get(f"{USERS}/{person.id}", params={"expand": expand})

        assert field_errors(response) == {"expand": "invalid_choice"}


async def test_an_account_is_visible_to_its_owner_and_to_no_other_user(people: People) -> None:
    person, other = await people.create(), await people.create()
    async with people.client(person) as calls:
        own = await calls.get(f"{USERS}/{person.id}")
        others = await calls.get(f"{USERS}/{other.id}")
        nobodys = await calls.get(f"{USERS}/{uuid4()}")

    assert own.status_code == 200
    assert is_refused(others, 404, "not_found")
    assert is_refused(nobodys, 404, "not_found")
    assert others.json()["detail"] == nobodys.json()["detail"]


@pytest.mark.caller(*ADMIN)
async def test_an_account_is_changed_and_the_rest_kept(calls: httpx.AsyncClient, people: People) -> None:
    person = await people.create(name="Ada", username="ada")
    before = (await calls.get(f"{USERS}/{person.id}")).json()

    response = await calls.patch(
        f"{USERS}/{person.id}", json={"email": "ada.king@example.com", "name": None, "is_verified": True}
    )

    after = response.json()
    assert (response.status_code, response.headers["etag"]) == (200, '"2"')
    assert after.pop("updated_at") > before.pop("updated_at")
    assert after == before | {"email": "ada.king@example.com", "name": None, "is_verified": True, "version": 2}


@pytest.mark.caller(*ADMIN)
async def test_another_spelling_of_an_address_stays_verified(calls: httpx.AsyncClient, people: People) -> None:
    person = await people.create(email="ada@example.com", is_verified=True)
    for email in ["Ada@Example.com", "ada@example.COM"]:
        body = (await calls.patch(f"{USERS}/{person.id}", json={"email": email})).json()

        assert (body["email"], body["is_verified"]) == (email, True)


@pytest.mark.caller(*ADMIN)
async def test_a_new_address_is_not_verified_unless_the_patch_says_so(calls: httpx.AsyncClient, people: People) -> None:
    person = await people.create(is_verified=True)

    unsaid = await calls.patch(f"{USERS}/{person.id}", json={"email": "first@example.com"})
    said = await calls.patch(f"{USERS}/{person.id}", json={"email": "second@example.com", "is_verified": True})

    assert (unsaid.json()["is_verified"], said.json()["is_verified"]) == (False, True)


@pytest.mark.caller(*ADMIN)
async def test_the_new_address_is_the_one_to_sign_in_with(calls: httpx.AsyncClient, people: People) -> None:
    person = await people.create(email="old@example.com")
    await calls.patch(f"{USERS}/{person.id}", json={"email": "new@example.com"})

    old = await calls.post("/api/v1/auth/login", json={"email": "old@example.com", "password": PASSWORD})
    new = await calls.post("/api/v1/auth/login", json={"email": "new@example.com", "password": PASSWORD})

    assert (old.status_code, new.status_code) == (401, 200)


@pytest.mark.caller(*ADMIN)
async def test_a_patch_that_changes_nothing_leaves_no_trace(
    app: Litestar, calls: httpx.AsyncClient, people: People
) -> None:
    person = await people.create(name="Ada", username="ada", email="ada@example.com")
    before = await calls.get(f"{USERS}/{person.id}")
    for patch in [
        {},
        {"name": "Ada", "username": "ada", "locale": "en", "email": "ada@example.com"},
        {"is_verified": False, "is_superuser": False},
    ]:
        response = await calls.patch(f"{USERS}/{person.id}", json=patch)

        assert response.status_code == 200
        assert response.json() == before.json()
        assert await audited(app, "user.updated") == []


@pytest.mark.caller(*ADMIN)
async def test_the_address_of_another_user_cannot_be_given(calls: httpx.AsyncClient, people: People) -> None:
    await people.create(email="ada@example.com")
    person = await people.create(email="grace@example.com")

    response = await calls.patch(f"{USERS}/{person.id}", json={"email": "ADA@example.com", "name": "Changed"})

    assert is_refused(response, 409, "duplicate")
    assert (await calls.get(f"{USERS}/{person.id}")).json()["name"] is None


@pytest.mark.caller(*ADMIN)
async def test_a_deleted_account_is_gone_in_every_verb(app: Litestar, calls: httpx.AsyncClient, people: People) -> None:
    person = await people.create(permissions=["users:read"])
    url = f"{USERS}/{person.id}"

    first = await calls.delete(url)
    second = await calls.delete(url)

    assert (first.status_code, first.content) == (204, b"")
    assert is_refused(second, 404, "not_found")
    for answer in (
        await calls.get(url),
        await calls.get(url, params={"expand": "profile"}),
        await calls.patch(url, json={"name": "Ada"}),
        await calls.post(f"{url}/activate"),
        await calls.post(f"{url}/deactivate"),
        await calls.get(f"/api/v1/profiles/{person.id}"),
    ):
        assert is_refused(answer, 404, "not_found")
    assert is_refused(await calls.get(ME, headers=person.headers), 401, "invalid_token")
    for model, column in ((Profile, Profile.user_id), (Session, Session.user_id), (UserRole, UserRole.user_id)):
        assert await rows(app, model, column == person.id) == []
    assert str(person.id) not in (await calls.get(USERS)).text


@pytest.mark.caller(*ADMIN)
async def test_deactivation_ends_the_sessions_and_activation_does_not_bring_them_back(
    calls: httpx.AsyncClient, people: People
) -> None:
    person = await people.create()
    url = f"{USERS}/{person.id}"
    assert (await calls.get(ME, headers=person.headers)).status_code == 200

    off = await calls.post(f"{url}/deactivate")
    while_off = await calls.get(ME, headers=person.headers)
    refresh = await calls.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token})
    sign_in = await calls.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    on = await calls.post(f"{url}/activate")
    old_token = await calls.get(ME, headers=person.headers)
    sign_in_again = await calls.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})

    assert (off.status_code, off.json()["is_active"], off.headers["etag"]) == (200, False, '"2"')
    assert is_refused(while_off, 401, "invalid_token")
    assert is_refused(refresh, 401, "invalid_token")
    assert is_refused(sign_in, 403, "account_inactive")
    assert (on.status_code, on.json()["is_active"], on.headers["etag"]) == (200, True, '"3"')
    assert is_refused(old_token, 401, "invalid_token")
    assert sign_in_again.status_code == 200


@pytest.mark.caller(*ADMIN)
async def test_what_is_so_already_stays_as_it_is(app: Litestar, calls: httpx.AsyncClient, people: People) -> None:
    active, inactive = await people.create(), await people.create(is_active=False)

    on = await calls.post(f"{USERS}/{active.id}/activate")
    off = await calls.post(f"{USERS}/{inactive.id}/deactivate")

    assert (on.status_code, on.json()["version"]) == (200, 1)
    assert (off.status_code, off.json()["version"]) == (200, 1)
    assert await audited(app, "user.activated") == await audited(app, "user.deactivated") == []


@pytest.mark.caller(*ADMIN)
async def test_actions_and_deletion_heed_if_match(calls: httpx.AsyncClient, people: People) -> None:
    url = f"{USERS}/{(await people.create()).id}"
    stale = {"If-Match": '"9"'}

    assert is_refused(await calls.post(f"{url}/deactivate", headers=stale), 412, "precondition_failed")
    assert is_refused(await calls.post(f"{url}/activate", headers=stale), 412, "precondition_failed")
    assert is_refused(await calls.delete(url, headers=stale), 412, "precondition_failed")
    assert (await calls.post(f"{url}/deactivate", headers={"If-Match": '"1"'})).status_code == 200
    assert (await calls.delete(url, headers={"If-Match": '"2"'})).status_code == 204


@pytest.mark.caller(*ADMIN)
async def test_deeds_of_administrators_are_audited(app: Litestar, people: People, calls: httpx.AsyncClient) -> None:
    url = f"{USERS}/{(await people.create()).id}"
    made = (await calls.post(USERS, json=NEW | {"is_verified": True})).json()
    await calls.patch(url, json={"email": "new@example.com", "is_verified": True})
    await calls.post(f"{url}/deactivate")
    await calls.post(f"{url}/activate")
    await calls.delete(url)

    created = (await audited(app, "user.created"))[0]
    assert str(created.subject_id) == made["id"]
    assert created.details == {"is_verified": True, "is_superuser": False}
    updated = (await audited(app, "user.updated"))[0]
    assert updated.details == {"fields": ["email", "is_verified"], "is_verified": True}
    for kind in ("user.updated", "user.deactivated", "user.activated", "user.deleted"):
        entry = (await audited(app, kind))[0]
        assert url.endswith(str(entry.subject_id))
        assert entry.actor_id == created.actor_id != entry.subject_id
        assert (entry.address, entry.request_id is None) == ("203.0.113.7", False)


@pytest.mark.caller("users:write", "users:read")
async def test_an_action_without_a_body_refuses_one_that_says_something(
    calls: httpx.AsyncClient, people: People
) -> None:
    for action in ["activate", "deactivate"]:
        url = f"{USERS}/{(await people.create()).id}/{action}"

        assert field_errors(await calls.post(url, json={"reason": "spam", "x": 1})) == {
            "/reason": "unknown_field",
            "/x": "unknown_field",
        }
        assert is_refused(await calls.post(url, content=b"{}"), 415, "unsupported_media_type")
        assert (await calls.post(url, json={})).status_code == 200
        assert (await calls.post(url)).status_code == 200
