"""ETag, If-None-Match and If-Match on every single resource of accounts."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.domain.accounts.answers import ME, MY_PROFILE, ROLES, USERS, is_refused, own_tag
from tests.support.people import People, Person

pytestmark = pytest.mark.asvs("15.4.2")

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
    first, second = (own_tag(version, person) if url.startswith(ME) else f'"{version}"' for version in (1, 2))
    async with people.client(person) as calls:
        fresh = [await calls.request(method, url, headers={"If-None-Match": first}) for method in ("GET", "HEAD")]
        stale = [await calls.request(method, url, headers={"If-None-Match": second}) for method in ("GET", "HEAD")]

    assert [(each.status_code, each.content, each.headers["etag"]) for each in fresh] == [(304, b"", first)] * 2
    assert [(each.status_code, each.headers["etag"]) for each in stale] == [(200, first)] * 2
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
    tags = [own_tag(version, person) if url == ME else f'"{version}"' for version in (2, 3)]
    assert [(each.status_code, each.headers["etag"]) for each in (changed, anyway)] == [(200, tag) for tag in tags]


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


@pytest.mark.caller("superuser")
async def test_a_tag_with_an_owner_is_good_for_what_is_theirs(
    calls: httpx.AsyncClient, people: People, caller: Person
) -> None:
    """Two URLs of one user: each takes the tags of the other. The tag of one user is no tag of another one."""
    other = await people.create()
    by_id = f"{USERS}/{other.id}"

    foreign = [
        await calls.patch(url, json={"name": "Ada"}, headers={"If-Match": own_tag(1, person)})
        for url, person in ((ME, other), (by_id, caller))
    ]
    async with people.client(other) as others_calls:
        theirs = (await others_calls.get(ME)).headers["etag"]
        changed = await calls.patch(by_id, json={"name": "Ada"}, headers={"If-Match": theirs})
        back = await others_calls.patch(ME, json={"name": "Eve"}, headers={"If-Match": changed.headers["etag"]})

    for answer in foreign:
        assert is_refused(answer, 412, "precondition_failed")
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (back.status_code, back.headers["etag"]) == (200, own_tag(3, other))


PROXIED = ("{}-gzip", "{};gzip", "{}--gzip", "{}-br", "{}-zstd")


@pytest.mark.parametrize("locate", [_me, _user])
async def test_tags_that_a_compressing_proxy_rewrote_are_good(people: People, locate: Locate) -> None:
    """Apache's mod_deflate sends ``"1-gzip"`` to clients and passes it on when it comes back."""
    person = await people.create(is_superuser=True)
    url = await locate(people, person)
    async with people.client(person) as calls:
        for number, suffixed in enumerate(PROXIED):
            tag = (await calls.get(url)).headers["etag"]
            rewritten = f'"{suffixed.format(tag[1:-1])}"'
            for sent in (rewritten, f"W/{rewritten}", f'"abc", W/{rewritten}'):
                assert (await calls.get(url, headers={"If-None-Match": sent})).status_code == 304, sent
            stale = await calls.patch(url, json={"name": "Ada"}, headers={"If-Match": f'"9{rewritten[1:]}'})
            headers = {"If-Match": f'W/"abc", W/{rewritten}'}
            changed = await calls.patch(url, json={"name": f"Ada {number}"}, headers=headers)

            assert stale.status_code == 412
            assert (changed.status_code, changed.json()["version"]) == (200, number + 2), rewritten
