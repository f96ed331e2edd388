"""PUT /users/{id}/roles."""

from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from tests.domain.accounts.answers import ME, USERS, audited, field_errors, is_refused
from tests.support.people import People

RIGHTS = ("roles:read", "roles:write", "users:read")


def roles_of(user_id: object) -> str:
    return f"{USERS}/{user_id}/roles"


@pytest.mark.caller(*RIGHTS)
async def test_a_user_gets_exactly_the_roles_that_are_named(calls: httpx.AsyncClient, people: People) -> None:
    for name in ("captain", "cook", "boatswain"):
        await people.role(name)
    person = await people.create()
    url = roles_of(person.id)

    first = await calls.put(url, json={"roles": ["cook", "captain"]})
    second = await calls.put(url, json={"roles": ["boatswain", "captain", "captain"]})
    none = await calls.put(url, json={"roles": []})

    assert (first.status_code, first.json()["roles"], first.headers["etag"]) == (200, ["captain", "cook"], '"2"')
    assert (second.json()["roles"], second.json()["version"]) == (["boatswain", "captain"], 3)
    assert second.json()["updated_at"] > first.json()["updated_at"]
    assert (none.json()["roles"], none.json()["version"]) == ([], 4)
    assert none.json() == (await calls.get(ME, headers=person.headers)).json()


@pytest.mark.caller(*RIGHTS)
async def test_roles_that_a_user_has_already_change_nothing(
    app: Litestar, calls: httpx.AsyncClient, people: People
) -> None:
    for name in ("captain", "cook"):
        await people.role(name)
    person = await people.create(roles=["captain", "cook"])
    before = (await calls.get(ME, headers=person.headers)).json()

    response = await calls.put(roles_of(person.id), json={"roles": ["cook", "captain"]})

    assert response.json() == before
    assert await audited(app, "user.roles_set") == []


@pytest.mark.asvs("8.3.2")
@pytest.mark.caller(*RIGHTS)
async def test_a_role_counts_from_the_next_request_on_and_no_longer_than_it_is_held(
    calls: httpx.AsyncClient, people: People
) -> None:
    await people.role("reader", ["users:read"])
    person = await people.create()
    statuses = []
    for roles in ([], ["reader"], [], ["reader"]):
        await calls.put(roles_of(person.id), json={"roles": roles})
        statuses.append((await calls.get(USERS, headers=person.headers)).status_code)

    assert statuses == [403, 200, 403, 200]


@pytest.mark.caller(*RIGHTS)
async def test_each_unknown_role_is_named_by_its_place(calls: httpx.AsyncClient, people: People) -> None:
    await people.role("captain")
    person = await people.create()

    response = await calls.put(roles_of(person.id), json={"roles": ["unknown", "captain", "noone"]})

    assert field_errors(response) == {"/roles/0": "not_found", "/roles/2": "not_found"}
    assert (await calls.get(ME, headers=person.headers)).json()["roles"] == []


@pytest.mark.caller(*RIGHTS)
async def test_what_is_no_list_of_names_is_refused(calls: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    for body, errors in [
        ({}, {"/roles": "required"}),
        ({"roles": None}, {"/roles": "invalid_type"}),
        ({"roles": "captain"}, {"/roles": "invalid_type"}),
        (
            {"roles": [1, "Captain", "c"]},
            dict.fromkeys(["/roles/1", "/roles/2"], "invalid_format") | {"/roles/0": "invalid_type"},
        ),
        ({"roles": ["captain"] * 51}, {"/roles": "too_long"}),
        ({"roles": [], "is_superuser": True}, {"/is_superuser": "unknown_field"}),
        (["captain"], {"": "invalid_type"}),
    ]:
        assert field_errors(await calls.put(roles_of(person.id), json=body)) == errors


@pytest.mark.caller(*RIGHTS)
async def test_roles_of_a_missing_user_are_404(calls: httpx.AsyncClient) -> None:
    for roles in (list[str](), ["unknown"]):
        assert is_refused(await calls.put(roles_of(uuid4()), json={"roles": roles}), 404, "not_found")


@pytest.mark.asvs("8.2.2", "8.3.1")
@pytest.mark.caller(*RIGHTS)
async def test_a_role_with_a_permission_that_the_caller_lacks_cannot_be_given(
    calls: httpx.AsyncClient, people: People
) -> None:
    await people.role("reader", ["users:read"])
    await people.role("writer", ["users:read", "users:write"])
    person = await people.create()

    refused = await calls.put(roles_of(person.id), json={"roles": ["reader", "writer"]})
    granted = await calls.put(roles_of(person.id), json={"roles": ["reader"]})

    assert is_refused(refused, 403, "permission_denied")
    assert granted.json()["roles"] == ["reader"]


@pytest.mark.asvs("8.2.2", "8.3.1")
@pytest.mark.caller(*RIGHTS)
async def test_roles_cannot_be_taken_from_a_user_with_more_rights(calls: httpx.AsyncClient, people: People) -> None:
    writer = await people.create(permissions=["users:write"])
    superuser = await people.create(is_superuser=True)

    for target in (writer, superuser):
        before = (await calls.get(ME, headers=target.headers)).json()
        response = await calls.put(roles_of(target.id), json={"roles": []})
        assert is_refused(response, 403, "permission_denied")
        assert (await calls.get(ME, headers=target.headers)).json() == before


@pytest.mark.asvs("8.3.1")
@pytest.mark.parametrize("is_superuser", [False, True])
async def test_users_cannot_set_their_own_roles(people: People, is_superuser: bool) -> None:
    person = await people.create(permissions=RIGHTS, is_superuser=is_superuser)
    async with people.client(person) as calls:
        mine = (await calls.get(ME)).json()
        answers = [
            await calls.put(roles_of(person.id), json={"roles": roles}) for roles in (list[str](), mine["roles"])
        ]
        after = (await calls.get(ME)).json()

    for answer in answers:
        assert is_refused(answer, 403, "permission_denied")
    assert after == mine


@pytest.mark.asvs("16.3.3")
@pytest.mark.caller(*RIGHTS)
async def test_a_change_of_roles_is_audited(app: Litestar, calls: httpx.AsyncClient, people: People) -> None:
    await people.role("captain")
    person = await people.create()

    await calls.put(roles_of(person.id), json={"roles": ["captain"]})

    entry = (await audited(app, "user.roles_set"))[0]
    assert (entry.subject_id, entry.details) == (person.id, {"roles": ["captain"]})
    assert entry.actor_id not in {None, person.id}
