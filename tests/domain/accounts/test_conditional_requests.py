"""ETag, If-None-Match and If-Match on every single resource of accounts."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.domain.accounts.answers import ME, MY_PROFILE, ROLES, USERS, field_errors, is_refused
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
    tags = ['"1"', 'W/"1"', "*", '"0", W/"1"', '"a","1" ,"b"']
    async with people.client(person) as calls:
        answers = [await calls.request(m, url, headers={"If-None-Match": tag}) for m in ("GET", "HEAD") for tag in tags]

    for answer in answers:
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == '"1"'
        assert "content-type" not in answer.headers
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize("locate", READABLE)
async def test_what_the_client_has_not_is_sent(people: People, locate: Locate) -> None:
    person = await people.create(is_superuser=True)
    url = await locate(people, person)
    async with people.client(person) as calls:
        for tag in ('"2"', 'W/"2"', '"11"', "1", '""', '"a"', "", '"1'):
            response = await calls.get(url, headers={"If-None-Match": tag})
            assert (tag, response.status_code, response.json()["version"]) == (tag, 200, 1)


@pytest.mark.parametrize("locate", READABLE)
async def test_head_answers_like_get_without_a_body(people: People, locate: Locate) -> None:
    person = await people.create(is_superuser=True)
    url = await locate(people, person)
    async with people.client(person) as calls:
        get, head = await calls.get(url), await calls.head(url)

    changing = {"x-request-id", "x-process-time", "ratelimit"}
    assert (head.status_code, head.content) == (200, b"")
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in get.headers.items() if k not in changing
    }


@pytest.mark.parametrize("locate", PATCHABLE)
@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', "*", '"7", "1"', 'W/"7",W/"1"'])
async def test_a_change_meant_for_this_version_is_made(people: People, locate: Locate, tag: str) -> None:
    person = await people.create(is_superuser=True)
    url = await locate(people, person)
    async with people.client(person) as calls:
        response = await calls.patch(url, json={"name": "captains"}, headers={"If-Match": tag})

    assert (response.status_code, response.headers["etag"]) == (200, '"2"')


@pytest.mark.parametrize("locate", PATCHABLE)
@pytest.mark.parametrize("tag", ['"2"', 'W/"2"', '"0"', '"abc"', '""', '"99999999999999999999"', '"2", "3"'])
async def test_a_change_meant_for_another_version_is_not_made(people: People, locate: Locate, tag: str) -> None:
    person = await people.create(is_superuser=True)
    url = await locate(people, person)
    async with people.client(person) as calls:
        before = await calls.get(url)
        refused = [
            await calls.patch(url, json={"name": "captains"}, headers={"If-Match": tag}),
            await calls.patch(url, json={}, headers={"If-Match": tag}),
            await calls.delete(url, headers={"If-Match": tag}),
        ]
        after = await calls.get(url)

    for answer in refused:
        assert is_refused(answer, 412, "precondition_failed")
    assert after.json() == before.json()


@pytest.mark.parametrize("tag", ["1", "abc", "W/1"])
async def test_an_if_match_that_is_no_tag_is_refused(calls: httpx.AsyncClient, tag: str) -> None:
    response = await calls.patch(ME, json={"name": "Ada"}, headers={"If-Match": tag})

    assert field_errors(response) == {"If-Match": "invalid_format"}


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
