"""Idempotency-Key on POST /users and POST /roles; what a key is and how long it holds is shown in tests/lib/db."""

import httpx
import pytest
from litestar import Litestar

from app.lib.db.idempotency import IdempotencyKey
from tests.domain.accounts.answers import ME, ROLES, USERS, JSONObject, audited, is_refused, rows
from tests.support.people import PASSWORD, People

USER: JSONObject = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}
ROLE: JSONObject = {"name": "captain", "permissions": ["users:read"]}
RIGHTS = ("users:read", "users:write", "roles:read", "roles:write")


async def post(calls: httpx.AsyncClient, url: str, body: JSONObject, key: str = "key-1") -> httpx.Response:
    return await calls.post(url, json=body, headers={"Idempotency-Key": key})


def essence(response: httpx.Response) -> tuple[object, ...]:
    headers = response.headers
    return response.status_code, response.content, headers["location"], headers["etag"], headers["content-type"]


@pytest.mark.parametrize(("url", "body"), [(USERS, USER), (ROLES, ROLE)])
@pytest.mark.caller(*RIGHTS)
async def test_a_repeated_creation_gets_the_first_answer_even_after_a_deletion(
    app: Litestar, calls: httpx.AsyncClient, people: People, url: str, body: JSONObject
) -> None:
    boss = await people.create(is_superuser=True)
    first, again = await post(calls, url, body), await post(calls, url, body)
    other = await post(calls, url, body | {"name": "another-name"})
    await calls.delete(first.headers["location"], headers=boss.headers)
    late = await post(calls, url, body)

    assert first.status_code == 201
    assert essence(first) == essence(again) == essence(late)
    assert [each.headers.get("idempotency-replayed") for each in (first, again, late)] == [None, "true", "true"]
    assert is_refused(other, 422, "idempotency_key_reused")
    assert len(await audited(app, "user.created") + await audited(app, "role.created")) == 1
    assert (await post(calls, url, body, key="key-2")).status_code == 201


@pytest.mark.asvs("8.2.2")
async def test_a_key_belongs_to_a_user_in_all_sessions(people: People, client: httpx.AsyncClient) -> None:
    first, second = await people.create(permissions=RIGHTS), await people.create(permissions=RIGHTS)
    other_session = await people.sign_in(first.id, first.email)

    mine, again, theirs = [
        await client.post(ROLES, json=ROLE, headers=each.headers | {"Idempotency-Key": "k"})
        for each in (first, other_session, second)
    ]

    assert mine.status_code == 201
    assert essence(mine) == essence(again)
    assert is_refused(theirs, 409, "duplicate")


@pytest.mark.asvs("8.3.2")
async def test_a_replay_needs_the_permission_still(people: People) -> None:
    person, boss = await people.create(permissions=RIGHTS), await people.create(is_superuser=True)
    async with people.client(person) as calls:
        first = await post(calls, ROLES, ROLE)
        await calls.put(f"{USERS}/{person.id}/roles", json={"roles": []}, headers=boss.headers)
        replay = await post(calls, ROLES, ROLE)
        assert (await calls.get(ME)).status_code == 200

    assert first.status_code == 201
    assert is_refused(replay, 403, "permission_denied")


@pytest.mark.caller(*RIGHTS)
async def test_refused_creations_leave_no_key(app: Litestar, calls: httpx.AsyncClient, people: People) -> None:
    await people.role("captain")
    powerless = await people.create()

    assert is_refused(await post(calls, ROLES, ROLE), 409, "duplicate")
    assert is_refused(await post(calls, ROLES, {"name": 5}), 422, "validation_failed")
    headers = powerless.headers | {"Idempotency-Key": "k"}
    assert is_refused(await calls.post(ROLES, json=ROLE, headers=headers), 403, "permission_denied")
    assert await rows(app, IdempotencyKey) == []


@pytest.mark.caller(*RIGHTS)
async def test_neither_key_nor_password_is_kept(app: Litestar, calls: httpx.AsyncClient) -> None:
    await post(calls, USERS, USER, key="a-key-to-remember")

    row = (await rows(app, IdempotencyKey))[0]
    kept = b"".join(bytes(value) for value in (row.digest, row.fingerprint, row.headers, row.body))
    assert b"a-key-to-remember" not in kept
    assert PASSWORD.encode() not in kept
