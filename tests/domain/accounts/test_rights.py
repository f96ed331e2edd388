"""Users get no further than their rights reach: not for themselves, not through others."""

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.models import User
from tests.domain.accounts.answers import ME, ROLES, USERS, JSONObject, field_errors, is_refused, rows
from tests.support.people import PASSWORD, People, Person

NEW: JSONObject = {"email": "new@example.com", "password": PASSWORD}
EVERYTHING = ("users:read", "users:write", "users:delete", "roles:read", "roles:write")


async def account(people: People, person: Person) -> JSONObject:
    async with people.client(person) as calls:
        body: JSONObject = (await calls.get(ME)).json()
    return body


@pytest.mark.asvs("8.3.1")
async def test_users_cannot_set_their_own_flags(people: People) -> None:
    cases: list[tuple[JSONObject, JSONObject]] = [
        ({}, {"is_superuser": True}),
        ({}, {"is_verified": True}),
        ({}, {"is_verified": True, "is_superuser": True, "name": "Changed"}),
        ({"is_verified": True}, {"is_verified": False}),
        ({"is_superuser": True}, {"is_superuser": False}),
        ({"is_superuser": True}, {"is_verified": True}),
        ({"is_superuser": True, "is_verified": True}, {"is_verified": False}),
    ]
    for flags, patch in cases:
        await people.create(is_superuser=True)
        person = await people.create(permissions=EVERYTHING, **flags)
        before = await account(people, person)
        async with people.client(person) as calls:
            response = await calls.patch(f"{USERS}/{person.id}", json=patch)

        assert is_refused(response, 403, "permission_denied")
        assert await account(people, person) == before


@pytest.mark.asvs("8.3.1")
async def test_an_administrator_cannot_take_another_address_past_its_confirmation(people: People) -> None:
    person = await people.create(permissions=EVERYTHING, is_verified=True)
    async with people.client(person) as calls:
        carried = await calls.patch(f"{USERS}/{person.id}", json={"email": "new@example.com", "is_verified": True})
        plain = await calls.patch(f"{USERS}/{person.id}", json={"email": "new@example.com"})

    assert is_refused(carried, 403, "permission_denied")
    assert is_refused(plain, 403, "permission_denied")


@pytest.mark.asvs("8.3.1")
@pytest.mark.parametrize("is_superuser", [False, True])
@pytest.mark.parametrize("action", ["activate", "deactivate"])
async def test_users_cannot_activate_or_deactivate_themselves(people: People, action: str, is_superuser: bool) -> None:
    person = await people.create(permissions=EVERYTHING, is_superuser=is_superuser)
    await people.create(is_superuser=True)
    async with people.client(person) as calls:
        response = await calls.post(f"{USERS}/{person.id}/{action}")

    assert is_refused(response, 403, "permission_denied")
    assert (await account(people, person))["is_active"] is True


@pytest.mark.asvs("8.3.1")
@pytest.mark.caller(*EVERYTHING)
async def test_only_a_superuser_makes_or_unmakes_superusers(calls: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    made = await calls.patch(f"{USERS}/{person.id}", json={"is_superuser": True, "name": "Changed"})
    created = await calls.post(USERS, json=NEW | {"is_superuser": True})

    assert is_refused(made, 403, "permission_denied")
    assert is_refused(created, 403, "permission_denied")
    assert 'error="insufficient_scope"' in made.headers["www-authenticate"]
    assert (await account(people, person))["name"] is None


@pytest.mark.caller("superuser")
async def test_a_superuser_makes_and_unmakes_superusers_and_it_counts_at_once(
    calls: httpx.AsyncClient, people: People
) -> None:
    person = await people.create()
    created = await calls.post(USERS, json=NEW | {"is_superuser": True})
    statuses = []
    for value in (True, False, True):
        patched = await calls.patch(f"{USERS}/{person.id}", json={"is_superuser": value})
        assert patched.json()["is_superuser"] is value
        statuses.append((await calls.get(USERS, headers=person.headers)).status_code)

    assert created.json()["is_superuser"] is True
    assert statuses == [200, 403, 200]


@pytest.mark.asvs("8.2.2", "8.3.1")
@pytest.mark.caller("users:read", "users:write", "users:delete", "roles:write")
@pytest.mark.parametrize("target", ["superuser", "auditor"])
async def test_users_with_more_rights_cannot_be_taken_over(
    app: Litestar, calls: httpx.AsyncClient, people: People, target: str
) -> None:
    is_superuser = target == "superuser"
    person = await people.create(permissions=["roles:read"], is_superuser=is_superuser)
    await people.create(is_superuser=True)
    before = await account(people, person)
    url = f"{USERS}/{person.id}"

    refused = [
        await calls.patch(url, json={"email": "mine@example.com"}),
        await calls.patch(url, json={"name": "Changed"}),
        await calls.patch(url, json={"is_verified": True}),
        await calls.patch(url, json={}),
        await calls.post(f"{url}/deactivate"),
        await calls.post(f"{url}/activate"),
        await calls.put(f"{url}/roles", json={"roles": []}),
        await calls.delete(url),
    ]

    for answer in refused:
        assert is_refused(answer, 403, "permission_denied")
    assert await account(people, person) == before
    assert len(await rows(app, User)) == 3


@pytest.mark.caller("users:read", "users:write", "users:delete")
async def test_whose_rights_are_no_more_than_ones_own_can_be_administered(
    calls: httpx.AsyncClient, people: People
) -> None:
    person = await people.create(permissions=["users:read", "users:write"])
    url = f"{USERS}/{person.id}"

    assert (await calls.patch(url, json={"email": "other@example.com"})).status_code == 200
    assert (await calls.post(f"{url}/deactivate")).status_code == 200
    assert (await calls.delete(url)).status_code == 204


@pytest.mark.asvs("8.2.2", "8.3.1")
@pytest.mark.caller("roles:read", "roles:write", "users:read")
async def test_a_role_beyond_the_own_rights_cannot_be_created_or_changed(
    calls: httpx.AsyncClient, people: People
) -> None:
    lesser = f"{ROLES}/{await people.role('lesser', ['users:read'])}"
    greater = f"{ROLES}/{await people.role('greater', ['users:read', 'users:delete'])}"

    refused = [
        await calls.post(ROLES, json={"name": "mine", "permissions": ["users:read", "users:delete"]}),
        await calls.patch(lesser, json={"permissions": ["users:read", "users:delete"]}),
        await calls.patch(greater, json={"permissions": ["users:read"]}),
        await calls.patch(greater, json={"name": "mine"}),
        await calls.patch(greater, json={}),
        await calls.delete(greater),
    ]

    for answer in refused:
        assert is_refused(answer, 403, "permission_denied")
        assert "users:delete" in answer.json()["detail"]
    names = [role["name"] for role in (await calls.get(ROLES)).json()["items"]]
    assert names == ["greater", "lesser", "made-for-1"]


@pytest.mark.asvs("8.3.1")
async def test_an_own_role_cannot_be_widened_beyond_the_own_rights(people: People) -> None:
    role_id = await people.role("mine", ["roles:read", "roles:write"])
    person = await people.create(roles=["mine"])
    async with people.client(person) as calls:
        wider = await calls.patch(
            f"{ROLES}/{role_id}", json={"permissions": ["roles:read", "roles:write", "users:read"]}
        )
        narrower = await calls.patch(f"{ROLES}/{role_id}", json={"permissions": ["roles:read"]})
        after = await calls.patch(f"{ROLES}/{role_id}", json={"permissions": ["roles:read", "roles:write"]})

    assert is_refused(wider, 403, "permission_denied")
    assert narrower.status_code == 200
    assert is_refused(after, 403, "permission_denied")


@pytest.mark.asvs("15.3.3")
async def test_registration_gives_no_rights(client: httpx.AsyncClient) -> None:
    for member, value in (("is_superuser", True), ("is_verified", True), ("roles", ["admin"]), ("is_active", True)):
        response = await client.post("/api/v1/auth/register", json=NEW | {member: value})
        assert field_errors(response) == {f"/{member}": "unknown_field"}


@pytest.mark.asvs("8.3.2")
async def test_a_right_that_was_taken_away_is_gone_on_the_next_request(people: People) -> None:
    boss = await people.create(is_superuser=True)
    person = await people.create(permissions=["users:read", "users:write"])
    async with people.client(person) as calls, people.client(boss) as boss_calls:
        before = await calls.post(USERS, json=NEW)
        await boss_calls.put(f"{USERS}/{person.id}/roles", json={"roles": []})
        after = await calls.post(USERS, json=NEW | {"email": "another@example.com"})

    assert before.status_code == 201
    assert is_refused(after, 403, "permission_denied")
