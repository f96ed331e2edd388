"""Sensitive acts need a sign-in within the last ten minutes."""

from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from app.domain.accounts.models import Role, User
from app.lib.clock import utc_now
from tests.domain.accounts.answers import ME, ROLES, USERS, JSONObject, is_refused, rows
from tests.support.people import PASSWORD, People, Person

NEW: JSONObject = {"email": "new@example.com", "password": PASSWORD}


@pytest_asyncio.fixture
async def boss(people: People) -> Person:
    """A superuser who signed in eleven minutes ago."""
    return await people.create(is_superuser=True, signed_in_at=utc_now() - timedelta(minutes=11))


@pytest_asyncio.fixture
async def person(people: People) -> Person:
    return await people.create(email="ada@example.com", name="Ada")


@pytest.mark.asvs("7.5.1", "7.5.3")
async def test_sensitive_acts_are_refused_to_an_old_sign_in(
    app: Litestar, people: People, boss: Person, person: Person
) -> None:
    role_id = await people.role("captain")
    url = f"{USERS}/{person.id}"
    async with people.client(boss) as calls:
        before = (await calls.get(url)).json()
        refused = [
            await calls.delete(ME),
            await calls.delete(url),
            await calls.patch(url, json={"email": "new@example.com"}),
            await calls.patch(url, json={"email": "ADA@example.com"}),
            await calls.patch(url, json={"is_superuser": True, "name": "Changed"}),
            await calls.patch(url, json={"is_verified": True}),
            await calls.put(f"{url}/roles", json={"roles": ["captain"]}),
            await calls.post(USERS, json=NEW | {"is_superuser": True}),
            await calls.post(ROLES, json={"name": "cook"}),
            await calls.patch(f"{ROLES}/{role_id}", json={"permissions": ["users:read"]}),
            await calls.delete(f"{ROLES}/{role_id}"),
        ]
        after = (await calls.get(url)).json()

    for answer in refused:
        assert is_refused(answer, 403, "reauth_required")
    assert after == before
    assert len(await rows(app, User)) == 2
    assert [role.name for role in await rows(app, Role)] == ["captain"]


async def test_other_acts_are_not(people: People, boss: Person, person: Person) -> None:
    url = f"{USERS}/{person.id}"
    async with people.client(boss) as calls:
        allowed = [
            await calls.get(USERS),
            await calls.patch(ME, json={"name": "Boss"}),
            await calls.patch(url, json={"name": "Changed", "locale": "de"}),
            await calls.patch(url, json={"email": "ada@example.com", "is_superuser": False, "is_verified": False}),
            await calls.patch(f"{USERS}/{boss.id}", json={"username": "boss"}),
            await calls.post(f"{url}/deactivate"),
        ]
        refused = [await calls.post(f"{url}/activate"), await calls.post(USERS, json=NEW)]

    assert [answer.status_code for answer in allowed] == [200] * 6
    assert [answer.json()["code"] for answer in refused] == ["reauth_required"] * 2, "they grant something"


async def test_a_new_sign_in_is_enough(client: httpx.AsyncClient, people: People, boss: Person, person: Person) -> None:
    url = f"{USERS}/{person.id}"
    assert is_refused(await client.delete(url, headers=boss.headers), 403, "reauth_required")

    again = await people.sign_in(boss.id, boss.email)

    assert (await client.delete(url, headers=again.headers)).status_code == 204


@pytest.mark.parametrize(("minutes", "status"), [(9, 204), (11, 403)])
async def test_ten_minutes_are_the_border(client: httpx.AsyncClient, people: People, minutes: int, status: int) -> None:
    person = await people.create(signed_in_at=utc_now() - timedelta(minutes=minutes))

    assert (await client.delete(ME, headers=person.headers)).status_code == status


async def test_going_on_with_a_session_is_no_sign_in(client: httpx.AsyncClient, people: People, boss: Person) -> None:
    pair = await client.post("/api/v1/auth/refresh", json={"refresh_token": boss.refresh_token})
    headers = {"Authorization": f"Bearer {pair.json()['access_token']}"}

    assert is_refused(await client.delete(ME, headers=headers), 403, "reauth_required")


async def test_a_missing_permission_is_reported_before_an_old_sign_in(
    client: httpx.AsyncClient, people: People, person: Person
) -> None:
    long_ago = utc_now() - timedelta(minutes=11)
    powerless = await people.create(signed_in_at=long_ago)
    reader = await people.create(signed_in_at=long_ago, permissions=["users:read"])

    unseen = await client.delete(f"{USERS}/{person.id}", headers=powerless.headers)
    seen = await client.delete(f"{USERS}/{person.id}", headers=reader.headers)

    assert is_refused(unseen, 404, "not_found")
    assert is_refused(seen, 403, "permission_denied")
