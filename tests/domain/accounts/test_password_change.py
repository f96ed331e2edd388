"""POST /users/me/password."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.models import User
from app.lib.clock import utc_now
from tests.domain.accounts.answers import ME, JSONObject, audited, field_errors, is_refused, rows
from tests.support.people import PASSWORD, People, Person

PASSWORD_ROUTE = "/api/v1/users/me/password"
NEW = "another fine day to sail"


def change(current: str = PASSWORD, new: str = NEW) -> JSONObject:
    return {"current_password": current, "new_password": new}


async def signs_in(client: httpx.AsyncClient, person: Person, password: str) -> bool:
    answer = await client.post("/api/v1/auth/login", json={"email": person.email, "password": password})
    return answer.status_code == 200


@pytest.mark.asvs("6.2.2", "6.2.3")
async def test_the_new_password_counts_and_the_old_one_does_not(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    response = await client.post(PASSWORD_ROUTE, json=change(), headers=person.headers)

    assert response.status_code == 200
    assert await signs_in(client, person, NEW)
    assert not await signs_in(client, person, PASSWORD)


@pytest.mark.asvs("7.4.3")
async def test_all_sessions_end_and_this_one_gets_another_pair(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    other = await people.sign_in(person.id, person.email)
    another = await people.create()
    assert (await client.get(ME, headers=other.headers)).status_code == 200

    pair = await client.post(PASSWORD_ROUTE, json=change(), headers=person.headers)

    assert pair.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {pair.json()['access_token']}"}
    assert (await client.get(ME, headers=headers)).status_code == 200
    kept = await client.post("/api/v1/auth/refresh", json={"refresh_token": pair.json()["refresh_token"]})
    assert kept.status_code == 200
    for session in (person, other):
        assert is_refused(await client.get(ME, headers=session.headers), 401, "invalid_token")
        refresh = await client.post("/api/v1/auth/refresh", json={"refresh_token": session.refresh_token})
        assert is_refused(refresh, 401, "invalid_token")
    assert (await client.get(ME, headers=another.headers)).status_code == 200


@pytest.mark.asvs("6.2.3")
async def test_a_wrong_current_password_is_refused(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    for current in ["wrong", PASSWORD.upper(), f" {PASSWORD}", f"{PASSWORD} ", PASSWORD[:-1]]:
        response = await client.post(PASSWORD_ROUTE, json=change(current=current), headers=person.headers)

        assert is_refused(response, 403, "invalid_credentials")
        assert [error["pointer"] for error in response.json()["errors"]] == ["/current_password"]
        assert current not in response.text
        assert (await client.get(ME, headers=person.headers)).json()["version"] == 1
        entry = (await audited(app, "password.refused"))[0]
        assert (entry.actor_id, entry.subject_id) == (person.id, person.id)
        assert await audited(app, "password.changed") == []


@pytest.mark.asvs("6.2.1", "6.2.4", "6.2.11")
async def test_a_weak_new_password_is_refused(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create(email="ada.king@example.com", name="Ada Lovelace", username="Countess")
    for new, code in [
        ("7 chars", "too_short"),
        ("password123", "weak_password"),
        ("Password12!", "weak_password"),
        ("mmmmmmmm", "weak_password"),
        ("lovelace was here", "weak_password"),
        ("countess2000", "weak_password"),
        ("my ada.king password", "weak_password"),
        ("Lodestar forever", "weak_password"),
        (PASSWORD, "weak_password"),
        ("x" * 1025, "too_long"),
        ("with a nul \u0000 inside", "invalid_format"),
        ("", "too_short"),
        (None, "invalid_type"),
    ]:
        body = {"current_password": PASSWORD, "new_password": new}
        response = await client.post(PASSWORD_ROUTE, json=body, headers=person.headers)

        assert field_errors(response) == {"/new_password": code}
        assert not new or new not in response.text
        assert await signs_in(client, person, PASSWORD)


@pytest.mark.asvs("6.2.5", "6.2.8", "6.2.9")
async def test_a_password_is_kept_exactly_as_given(client: httpx.AsyncClient, people: People) -> None:
    for new in ["  spaces at both ends  ", "пароль на русском 🔑", "x7 q" * 253 + "violet", "line\nbreak in it"]:
        person = await people.create()

        response = await client.post(PASSWORD_ROUTE, json=change(new=new), headers=person.headers)

        assert response.status_code == 200
        assert await signs_in(client, person, new)
        assert not await signs_in(client, person, new.strip()[:-1])


async def test_both_members_are_required_and_no_other(calls: httpx.AsyncClient) -> None:
    response = await calls.post(PASSWORD_ROUTE, json={"password": NEW})

    assert field_errors(response) == {
        "/current_password": "required",
        "/new_password": "required",
        "/password": "unknown_field",
    }


@pytest.mark.usefixtures("clock")
@pytest.mark.asvs("6.3.1")
async def test_trying_passwords_with_a_stolen_session_is_cut_short(people: People) -> None:
    person = await people.create()
    other = await people.create()
    async with people.client(person) as calls:
        tries = [await calls.post(PASSWORD_ROUTE, json=change(current=f"try {i}")) for i in range(11)]
        right = await calls.post(PASSWORD_ROUTE, json=change())
    async with people.client(other) as calls:
        unaffected = await calls.post(PASSWORD_ROUTE, json=change())
        assert await signs_in(calls, person, PASSWORD)  # the sign-in has its own throttle

    assert [answer.status_code for answer in tries] == [403] * 10 + [429]
    assert is_refused(right, 429, "rate_limited")
    assert int(right.headers["retry-after"]) > 0
    assert unaffected.status_code == 200


@pytest.mark.usefixtures("clock")
async def test_changes_are_limited_by_address(people: People) -> None:
    person = await people.create()
    async with people.client(person) as calls:
        statuses = [(await calls.post(PASSWORD_ROUTE, json={})).status_code for _ in range(31)]

    assert statuses == [422] * 30 + [429]


async def test_of_two_changes_at_the_same_time_one_counts(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    new = [f"another fine day to sail {i}" for i in range(4)]

    answers = await asyncio.gather(
        *[client.post(PASSWORD_ROUTE, json=change(new=each), headers=person.headers) for each in new]
    )

    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} <= {200, 401, 403, 409}
    winner = [answer.status_code for answer in answers].index(200)
    assert [await signs_in(client, person, each) for each in new] == [i == winner for i in range(4)]


@pytest.mark.asvs("16.3.1")
async def test_a_change_needs_no_recent_sign_in_and_is_audited_without_the_password(
    app: Litestar, people: People
) -> None:
    person = await people.create(signed_in_at=utc_now() - timedelta(hours=5))
    async with people.client(person) as calls:
        assert (await calls.post(PASSWORD_ROUTE, json=change())).status_code == 200

    entry = (await audited(app, "password.changed"))[0]
    assert (entry.actor_id, entry.subject_id, entry.session_id) == (person.id, person.id, person.session_id)
    assert entry.details == {}
    user = (await rows(app, User))[0]
    assert user.password_hash.startswith("$argon2id$")
