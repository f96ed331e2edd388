"""Idempotency-Key on POST /users and POST /roles."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.models import Role, User
from app.lib.db.idempotency import IdempotencyKey
from tests.domain.accounts.answers import ME, ROLES, USERS, JSONObject, audited, field_errors, is_refused, rows
from tests.support.people import PASSWORD, People

USER: JSONObject = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}
ROLE: JSONObject = {"name": "captain", "permissions": ["users:read"]}
CREATIONS = [(USERS, USER), (ROLES, ROLE)]
RIGHTS = ("users:read", "users:write", "roles:read", "roles:write")

creations = pytest.mark.parametrize(("url", "body"), CREATIONS)


async def post(calls: httpx.AsyncClient, url: str, body: JSONObject, key: str = "key-1") -> httpx.Response:
    return await calls.post(url, json=body, headers={"Idempotency-Key": key})


def essence(response: httpx.Response) -> tuple[object, ...]:
    headers = response.headers
    return response.status_code, response.content, headers["location"], headers["etag"], headers["content-type"]


@creations
@pytest.mark.caller(*RIGHTS)
async def test_the_same_request_again_gets_the_same_answer(
    app: Litestar, calls: httpx.AsyncClient, url: str, body: JSONObject
) -> None:
    first = await post(calls, url, body)
    again = [await post(calls, url, body) for _ in range(2)]

    assert first.status_code == 201
    assert "idempotency-replayed" not in first.headers
    for answer in again:
        assert essence(answer) == essence(first)
        assert answer.headers["idempotency-replayed"] == "true"
        assert answer.headers["x-request-id"] != first.headers["x-request-id"]
    assert len(await audited(app, "user.created") + await audited(app, "role.created")) == 1


@creations
@pytest.mark.caller(*RIGHTS)
async def test_a_replay_shows_what_was_answered_and_not_what_is(
    calls: httpx.AsyncClient, people: People, url: str, body: JSONObject
) -> None:
    first = await post(calls, url, body)
    boss = await people.create(is_superuser=True)
    await calls.delete(first.headers["location"], headers=boss.headers)

    assert essence(await post(calls, url, body)) == essence(first)
    assert (await post(calls, url, body, key="key-2")).status_code == 201


@creations
@pytest.mark.caller(*RIGHTS)
async def test_another_body_with_the_same_key_is_refused(calls: httpx.AsyncClient, url: str, body: JSONObject) -> None:
    first = await post(calls, url, body)
    other = await post(calls, url, body | {"name": "another-name"})
    again = await post(calls, url, body)

    assert is_refused(other, 422, "idempotency_key_reused")
    assert essence(again) == essence(first)


@pytest.mark.caller(*RIGHTS)
async def test_a_key_belongs_to_one_route(calls: httpx.AsyncClient) -> None:
    assert (await post(calls, USERS, USER)).status_code == 201
    assert (await post(calls, ROLES, ROLE)).status_code == 201


@creations
@pytest.mark.asvs("8.2.2")
async def test_a_key_belongs_to_one_caller(people: People, url: str, body: JSONObject) -> None:
    first, second = await people.create(permissions=RIGHTS), await people.create(permissions=RIGHTS)
    async with people.client(first) as calls:
        mine = await post(calls, url, body)
    async with people.client(second) as calls:
        theirs = await post(calls, url, body)
        other = await post(
            calls,
            url,
            body | {"name": "other-one", "email": "else@example.com"} if url == USERS else {"name": "other-one"},
        )

    assert mine.status_code == 201
    assert is_refused(theirs, 409, "duplicate")
    assert other.status_code == 201


@creations
@pytest.mark.caller(*RIGHTS)
async def test_a_session_of_the_same_caller_may_retry(
    people: People, client: httpx.AsyncClient, url: str, body: JSONObject
) -> None:
    person = await people.create(permissions=RIGHTS)
    second = await people.sign_in(person.id, person.email)

    answers = [
        await client.post(url, json=body, headers=each.headers | {"Idempotency-Key": "k"}) for each in (person, second)
    ]

    assert essence(answers[0]) == essence(answers[1])


@creations
@pytest.mark.caller(*RIGHTS)
async def test_what_was_refused_runs_again(
    app: Litestar, calls: httpx.AsyncClient, people: People, url: str, body: JSONObject
) -> None:
    boss = await people.create(is_superuser=True)
    in_the_way = await calls.post(url, json=body, headers=boss.headers)
    invalid = await post(calls, url, {"name": 5}, key="key-1")
    refused = await post(calls, url, body)
    await calls.delete(in_the_way.headers["location"], headers=boss.headers)
    made = await post(calls, url, body)

    assert invalid.status_code == 422
    assert is_refused(refused, 409, "duplicate")
    assert (made.status_code, "idempotency-replayed" in made.headers) == (201, False)
    assert len(await rows(app, IdempotencyKey)) == 1


@creations
@pytest.mark.asvs("15.4.2")
@pytest.mark.caller(*RIGHTS)
async def test_ten_at_the_same_time_make_one(
    app: Litestar, calls: httpx.AsyncClient, url: str, body: JSONObject
) -> None:
    answers: Sequence[httpx.Response] = await asyncio.gather(*[post(calls, url, body) for _ in range(10)])

    made = [answer for answer in answers if answer.status_code == 201]
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert len(made) + len(waiting) == 10
    assert len({essence(answer) for answer in made}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in made) == 1
    for answer in waiting:
        assert is_refused(answer, 409, "idempotency_in_progress")
        assert int(answer.headers["retry-after"]) > 0
    assert len(await rows(app, User, User.name == "Ada")) + len(await rows(app, Role, Role.name == "captain")) == 1


@creations
@pytest.mark.caller(*RIGHTS)
@pytest.mark.parametrize("key", ["k" * 256, "", "tab\there", "\x7f", "ümlaut", "nul\x00"])
async def test_a_key_that_is_none_is_refused(
    app: Litestar, calls: httpx.AsyncClient, url: str, body: JSONObject, key: str
) -> None:
    headers = [(b"Idempotency-Key", key.encode("utf-8"))]
    response = await calls.post(url, json=body, headers=httpx.Headers(headers))

    assert field_errors(response) == {"Idempotency-Key": "invalid_format"}
    assert len(await rows(app, User)) == 1


@pytest.mark.caller(*RIGHTS)
async def test_two_keys_are_refused(calls: httpx.AsyncClient) -> None:
    headers = httpx.Headers([("Idempotency-Key", "one"), ("Idempotency-Key", "two")])

    assert field_errors(await calls.post(ROLES, json=ROLE, headers=headers)) == {"Idempotency-Key": "invalid_format"}


@creations
@pytest.mark.caller(*RIGHTS)
@pytest.mark.parametrize("key", ["k", "k" * 255, "a b!~\"'\\", "0193a3c4-0000-7000-8000-000000000000"])
async def test_any_printable_key_is_good(calls: httpx.AsyncClient, url: str, body: JSONObject, key: str) -> None:
    first, again = await post(calls, url, body, key), await post(calls, url, body, key)

    assert essence(first) == essence(again)


@creations
@pytest.mark.asvs("8.3.2")
async def test_a_replay_needs_the_permission_still(people: People, url: str, body: JSONObject) -> None:
    person, boss = await people.create(permissions=RIGHTS), await people.create(is_superuser=True)
    async with people.client(person) as calls:
        first = await post(calls, url, body)
        await calls.put(f"{USERS}/{person.id}/roles", json={"roles": []}, headers=boss.headers)
        replay = await post(calls, url, body)
        assert (await calls.get(ME)).status_code == 200

    assert first.status_code == 201
    assert is_refused(replay, 403, "permission_denied")


@creations
@pytest.mark.caller(*RIGHTS)
async def test_neither_key_nor_request_is_kept(
    app: Litestar, calls: httpx.AsyncClient, url: str, body: JSONObject
) -> None:
    await post(calls, url, body, key="a-key-to-remember")

    row = (await rows(app, IdempotencyKey))[0]
    kept = b"".join(bytes(value) for value in (row.digest, row.fingerprint, row.headers, row.body))
    assert b"a-key-to-remember" not in kept
    assert PASSWORD.encode() not in kept


@creations
@pytest.mark.parametrize("signed_in", [False, True])
async def test_who_may_not_leaves_no_key_behind(
    app: Litestar, client: httpx.AsyncClient, people: People, url: str, body: JSONObject, signed_in: bool
) -> None:
    headers = (await people.create()).headers if signed_in else {}

    response = await client.post(url, json=body, headers=headers | {"Idempotency-Key": "k"})

    assert response.status_code == (403 if signed_in else 401)
    assert await rows(app, IdempotencyKey) == []


@pytest.mark.caller(*RIGHTS)
async def test_other_routes_take_no_notice_of_a_key(calls: httpx.AsyncClient) -> None:
    for name in ("First", "Second"):
        response = await calls.patch(ME, json={"name": name}, headers={"Idempotency-Key": "k"})
        assert response.json()["name"] == name
