"""ETag, If-None-Match and If-Match on every single resource of accounts."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.domain.accounts.answers import ME, MY_PROFILE, ROLES, USERS, is_refused
from tests.support.people import People, Person

Locate = Callable[[People, Person], Awaitable[str]]


async def _me(_people: People, _person: Person) -> str:
    return ME


async def _user(people: People, _person: Person) -> str:
    return f"{USERS}/{(await people.create()).id}"


async def _own_profile(_people: People, _person: Person) -> str:
    return MY_PROFILE


async def _public_profile(_people: People, person: Person) -> str:
    return f"/api/v1/profiles/{person.id}"


async def _role(people: People, _person: Person) -> str:
    return f"{ROLES}/{await people.role('captain')}"


READABLE = (_me, _user, _own_profile, _public_profile, _role)
PATCHABLE = (_me, _user, _role)


@pytest.mark.parametrize("locate", READABLE)
async def test_what_the_client_has_is_not_sent_again(people: People, locate: Locate) -> None:
    person = await people.create(is_superuser=True)
    url = await locate(people, person)
    async with people.client(person) as calls:
        fresh = [await calls.request(method, url, headers={"If-None-Match": '"1"'}) for method in ("GET", "HEAD")]
        stale = [await calls.request(method, url, headers={"If-None-Match": '"2"'}) for method in ("GET", "HEAD")]

    assert [(each.status_code, each.content, each.headers["etag"]) for each in fresh] == [(304, b"", '"1"')] * 2
    assert [(each.status_code, each.headers["etag"]) for each in stale] == [(200, '"1"')] * 2
    assert (stale[0].json()["version"], stale[1].content) == (1, b"")


@pytest.mark.parametrize("locate", PATCHABLE)
async def test_a_change_is_made_to_the_version_that_it_is_meant_for(people: People, locate: Locate) -> None:
    person = await people.create(is_superuser=True)
    url = await locate(people, person)
    other = {"If-Match": 'W/"2", "abc"'}
    async with people.client(person) as calls:
        before = await calls.get(url)
        refused = [
            await calls.patch(url, json={"name": "captains"}, headers=other),
            await calls.patch(url, json={}, headers=other),
            await calls.delete(url, headers=other),
        ]
        after = await calls.get(url)
        changed = await calls.patch(url, json={"name": "captains"}, headers={"If-Match": 'W/"7", W/"1"'})
        anyway = await calls.patch(url, json={"name": "sailors"}, headers={"If-Match": "*"})

    for answer in refused:
        assert is_refused(answer, 412, "precondition_failed")
    assert after.json() == before.json()
    assert [(each.status_code, each.headers["etag"]) for each in (changed, anyway)] == [(200, '"2"'), (200, '"3"')]


@pytest.mark.caller("superuser")
async def test_setting_roles_heeds_the_version_of_the_user(calls: httpx.AsyncClient, people: People) -> None:
    await people.role("captain")
    url = f"{USERS}/{(await people.create()).id}/roles"

    stale = await calls.put(url, json={"roles": ["captain"]}, headers={"If-Match": '"2"'})
    fresh = await calls.put(url, json={"roles": ["captain"]}, headers={"If-Match": '"1"'})

    assert is_refused(stale, 412, "precondition_failed")
    assert (fresh.status_code, fresh.headers["etag"], fresh.json()["roles"]) == (200, '"2"', ["captain"])


@pytest.mark.caller("superuser")
async def test_lists_have_no_etag(calls: httpx.AsyncClient) -> None:
    for url in (USERS, ROLES, "/api/v1/permissions"):
        assert "etag" not in (await calls.get(url)).headers


@pytest.mark.caller("superuser")
async def test_if_match_any_on_what_is_not_there_is_not_found(calls: httpx.AsyncClient, people: People) -> None:
    url = f"{USERS}/{(await people.create()).id}"
    await calls.delete(url)

    assert is_refused(await calls.patch(url, json={}, headers={"If-Match": "*"}), 404, "not_found")
