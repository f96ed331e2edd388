"""Many at once: nothing is lost, nothing breaks, and of those who name a version one wins."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.domain.accounts.answers import ME, MY_PROFILE, ROLES, USERS, is_refused
from tests.support.people import PASSWORD, People

MANY = 12

pytestmark = pytest.mark.asvs("15.4.2")


def statuses(answers: list[httpx.Response]) -> dict[int, int]:
    found = [answer.status_code for answer in answers]
    return {status: found.count(status) for status in sorted(set(found))}


async def test_parallel_patches_of_different_fields_all_count(people: People) -> None:
    person = await people.create()
    boss = await people.create(is_superuser=True)
    url = f"{USERS}/{person.id}"
    patches: list[tuple[str, dict[str, Any], dict[str, str]]] = [
        (ME, {"name": "Ada Lovelace"}, person.headers),
        (ME, {"username": "ada"}, person.headers),
        (ME, {"locale": "en-GB"}, person.headers),
        (url, {"email": "ada@example.com"}, boss.headers),
        (url, {"is_verified": True}, boss.headers),
        (url, {"is_superuser": True}, boss.headers),
    ]
    async with people.client() as calls:
        answers = await asyncio.gather(*[calls.patch(u, json=patch, headers=h) for u, patch, h in patches])
        after = (await calls.get(url, headers=boss.headers)).json()

    assert statuses(list(answers)) == {200: 6}
    for _, patch, _ in patches[:4]:
        assert after.items() >= patch.items()
    assert after["is_superuser"] is True
    assert after["version"] == 7


async def test_parallel_patches_of_one_field_are_made_one_after_another(calls: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*[calls.patch(ME, json={"name": f"Name {i}"}) for i in range(MANY)])
    after = (await calls.get(ME)).json()

    assert statuses(list(answers)) == {200: MANY}
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, MANY + 2))
    assert after == max((answer.json() for answer in answers), key=lambda body: body["version"])


@pytest.mark.parametrize(
    ("method", "url"),
    [("PATCH", ME), ("PUT", MY_PROFILE), ("PATCH", f"{USERS}/{{id}}"), ("PATCH", f"{ROLES}/{{role}}")],
)
async def test_of_those_who_name_the_same_version_one_wins(people: People, method: str, url: str) -> None:
    boss, person = await people.create(is_superuser=True), await people.create()
    url = url.format(id=person.id, role=await people.role("captain"))
    field = "name" if method == "PATCH" else "first_name"
    async with people.client(boss) as calls:
        answers = await asyncio.gather(
            *[calls.request(method, url, json={field: f"name-{i}"}, headers={"If-Match": '"1"'}) for i in range(MANY)]
        )
        after = (await calls.get(url)).json()

    assert statuses(list(answers)) == {200: 1, 412: MANY - 1}
    assert after == next(answer.json() for answer in answers if answer.status_code == 200)


async def test_of_those_who_want_one_name_one_gets_it(people: People) -> None:
    crew = [await people.create() for _ in range(MANY)]
    async with people.client() as calls:
        answers = await asyncio.gather(
            *[calls.patch(ME, json={"username": "captain"}, headers=each.headers) for each in crew]
        )

    assert statuses(list(answers)) == {200: 1, 409: MANY - 1}
    for answer in answers:
        assert answer.status_code == 200 or is_refused(answer, 409, "duplicate")


@pytest.mark.caller("superuser")
async def test_of_accounts_with_the_same_address_one_is_made(calls: httpx.AsyncClient) -> None:
    spellings = ["ada@example.com", "ADA@example.com", "Ada@EXAMPLE.com", "aDa@Example.Com"]
    answers = await asyncio.gather(*[calls.post(USERS, json={"email": e, "password": PASSWORD}) for e in spellings])
    found = (await calls.get(USERS, params={"q": "ada@"})).json()

    assert statuses(list(answers)) == {201: 1, 409: 3}
    assert found["total"] == 1


@pytest.mark.caller("superuser")
async def test_of_deletions_of_one_account_one_is_made(calls: httpx.AsyncClient, people: People) -> None:
    url = f"{USERS}/{(await people.create()).id}"

    answers = await asyncio.gather(*[calls.delete(url) for _ in range(MANY)])

    assert statuses(list(answers)) == {204: 1, 404: MANY - 1}


@pytest.mark.caller("superuser")
async def test_changes_of_an_account_that_is_being_deleted_are_made_before_or_not_at_all(
    calls: httpx.AsyncClient, people: People
) -> None:
    await people.role("captain")
    url = f"{USERS}/{(await people.create()).id}"

    answers = await asyncio.gather(
        calls.patch(url, json={"name": "Ada"}),
        calls.post(f"{url}/deactivate"),
        calls.delete(url),
        calls.put(f"{url}/roles", json={"roles": ["captain"]}),
        calls.post(f"{url}/activate"),
        calls.patch(url, json={"is_superuser": True}),
    )

    assert answers[2].status_code == 204
    assert set(statuses(list(answers))) <= {200, 204, 404}
    assert is_refused(await calls.get(url), 404, "not_found")


@pytest.mark.caller("superuser")
async def test_giving_and_changing_roles_at_once_does_not_end_in_a_circle(
    calls: httpx.AsyncClient, people: People
) -> None:
    roles = [f"{ROLES}/{await people.role(name)}" for name in ("cook", "captain", "boatswain")]
    crew = [await people.create(roles=["cook", "captain", "boatswain"]) for _ in range(4)]
    crew.append(await people.create(is_superuser=True, roles=["captain"]))

    answers = await asyncio.gather(
        *[calls.patch(role, json={"name": f"renamed-{i}"}) for i, role in enumerate(roles)],
        *[calls.put(f"{USERS}/{each.id}/roles", json={"roles": []}) for each in crew[:2]],
        *[calls.patch(f"{USERS}/{each.id}", json={"is_superuser": False, "name": "Ada"}) for each in crew],
        *[calls.post(f"{USERS}/{each.id}/deactivate") for each in reversed(crew)],
        calls.delete(f"{USERS}/{crew[3].id}"),
        calls.patch(roles[1], json={"permissions": ["users:read"]}),
    )

    assert set(statuses(list(answers))) <= {200, 204, 404}, [a.text for a in answers if a.status_code >= 409]
    for each in crew[:2]:
        assert (await calls.get(f"{USERS}/{each.id}")).json()["roles"] == []


@pytest.mark.caller("superuser")
async def test_a_role_is_not_given_while_it_is_being_deleted(calls: httpx.AsyncClient, people: People) -> None:
    for attempt in range(3):
        name = f"role-{attempt}"
        role = f"{ROLES}/{await people.role(name)}"
        url = f"{USERS}/{(await people.create()).id}"

        given, deleted = await asyncio.gather(calls.put(f"{url}/roles", json={"roles": [name]}), calls.delete(role))

        assert deleted.status_code == 204
        assert given.status_code in {200, 422}
        assert (await calls.get(url)).json()["roles"] == []


async def test_a_profile_and_its_account_change_at_once(people: People) -> None:
    person = await people.create()
    async with people.client(person) as calls:
        answers = await asyncio.gather(
            *[calls.patch(ME, json={"name": f"Name {i}"}) for i in range(5)],
            *[calls.put(MY_PROFILE, json={"bio": f"Bio {i}"}) for i in range(5)],
        )
        profile = (await calls.get(MY_PROFILE)).json()

    assert statuses(list(answers)) == {200: 10}
    assert profile["version"] == 11
    assert profile["full_name"].startswith("Name ")
    assert profile["bio"].startswith("Bio ")
