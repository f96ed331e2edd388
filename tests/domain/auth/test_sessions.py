"""A person's own sessions: listed, ended, and confirmed by the password before sensitive acts."""

from datetime import timedelta

import httpx
import pytest
import time_machine
from litestar import Litestar

from app.lib.clock import utc_now
from app.lib.db.base import new_id
from tests.domain.auth.steps import ME, STRANGER, audited, bearer, fields, refresh, session_row, sign_in, warm
from tests.support.apps import ADDRESS, Deployment, client_of
from tests.support.people import PASSWORD, People
from tests.support.waiting import until_it_holds

SESSIONS, OTHERS = "/api/v1/auth/sessions", "/api/v1/auth/logout-others"
AGAIN = "/api/v1/auth/reauthenticate"


@pytest.mark.asvs("7.5.2")
async def test_sessions_are_listed_with_device_address_and_times(app: Litestar, people: People) -> None:
    await people.create(email="ada@example.com")
    agents = {"Firefox on a laptop": ADDRESS, "A phone": STRANGER}
    pairs = {}
    for agent, address in agents.items():
        async with client_of(app, address=address, headers={"User-Agent": agent}) as client:
            pairs[agent] = (await sign_in(client, "ada@example.com")).json()
    async with client_of(app, headers=bearer(pairs["A phone"]["access_token"])) as client:
        answer = await client.get(SESSIONS)

    page = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert (page["total"], page["pages"], page["next_cursor"]) == (3, 1, None)
    phone, laptop, _ = page["items"]
    assert {"device": phone["device"], "address": phone["address"]} == {"device": "A phone", "address": STRANGER}
    assert (laptop["device"], laptop["address"]) == ("Firefox on a laptop", ADDRESS)
    assert [each["current"] for each in page["items"]] == [True, False, False]
    assert phone["created_at"] == phone["last_seen_at"] == phone["authenticated_at"] > laptop["created_at"]
    assert set(phone) == {
        "id", "current", "by_support", "device", "address",
        "created_at", "authenticated_at", "last_seen_at", "expires_at",
    }  # fmt: skip


async def test_a_refresh_is_seen_and_the_list_is_paged(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create(signed_in_at=utc_now() - timedelta(hours=1))
    await people.sign_in(person.id, person.email, at=utc_now() - timedelta(minutes=30))
    pair = (await refresh(client, person.refresh_token)).json()

    first = (await client.get(SESSIONS, params={"page_size": 1}, headers=bearer(pair["access_token"]))).json()
    cursor = {"page_size": 1, "cursor": first["next_cursor"]}
    second = (await client.get(SESSIONS, params=cursor, headers=bearer(pair["access_token"]))).json()

    assert first["items"][0]["last_seen_at"] > first["items"][0]["created_at"]
    assert [each["current"] for page in (first, second) for each in page["items"]] == [True, False]
    assert second["next_cursor"] is None


@pytest.mark.asvs("7.4.2", "7.5.2")
async def test_one_session_is_ended_at_once_and_once(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    lost = await people.sign_in(person.id, person.email)
    assert (await client.get(ME, headers=lost.headers)).status_code == 200

    answers = [await client.delete(f"{SESSIONS}/{lost.session_id}", headers=person.headers) for _ in range(2)]

    assert [each.status_code for each in answers] == [204, 404]
    assert (await client.get(ME, headers=lost.headers)).status_code == 401
    assert (await refresh(client, lost.refresh_token)).status_code == 401
    assert (await client.get(ME, headers=person.headers)).status_code == 200
    assert (await session_row(app, lost.session_id)).revoked_reason == "ended"
    (event,) = await audited(app, "session.ended")
    assert (event.subject_id, event.details) == (person.id, {"session_id": str(lost.session_id)})
    assert (await client.get(SESSIONS, headers=person.headers)).json()["total"] == 1


async def test_the_current_session_may_be_ended_too(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    assert (await client.delete(f"{SESSIONS}/{person.session_id}", headers=person.headers)).status_code == 204
    assert (await client.get(SESSIONS, headers=person.headers)).status_code == 401


@pytest.mark.asvs("8.2.2")
async def test_sessions_of_others_do_not_exist(client: httpx.AsyncClient, people: People) -> None:
    """Not even for a superuser, and not in counts."""
    person, boss = await people.create(), await people.create(is_superuser=True)
    answers = [
        await client.delete(f"{SESSIONS}/{session_id}", headers=boss.headers)
        for session_id in (person.session_id, new_id())
    ]

    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
    assert (await client.get(SESSIONS, headers=boss.headers)).json()["total"] == 1
    assert (await client.get(ME, headers=person.headers)).status_code == 200


@pytest.mark.asvs("7.4.3")
async def test_the_others_are_ended_together(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person, stranger = await people.create(), await people.create()
    others = [await people.sign_in(person.id, person.email) for _ in range(3)]

    assert (await client.post(OTHERS, headers=person.headers)).status_code == 204

    for each, status in ((person, 200), (stranger, 200), *[(other, 401) for other in others]):
        assert (await client.get(ME, headers=each.headers)).status_code == status
    assert (await audited(app, "sign_out.others"))[0].details == {"sessions": 3}


@pytest.mark.asvs("7.3.1", "7.3.2")
@pytest.mark.parametrize(("days", "refreshed"), [(13, 200), (15, 401)])
async def test_a_session_ends_after_two_weeks_without_use(
    app: Litestar, people: People, days: int, refreshed: int
) -> None:
    await people.create(email="ada@example.com")
    async with client_of(app) as client:
        pair = (await sign_in(client, "ada@example.com")).json()
        with time_machine.travel(utc_now() + timedelta(days=days)):
            assert (await refresh(client, pair["refresh_token"])).status_code == refreshed
            fresh = (await sign_in(client, "ada@example.com")).json()
            listed = (await client.get(SESSIONS, headers=bearer(fresh["access_token"]))).json()

    assert listed["total"] == (3 if refreshed == 200 else 2)


@pytest.mark.asvs("7.5.1", "7.5.3")
async def test_the_password_opens_ten_minutes_for_sensitive_acts(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create(signed_in_at=utc_now() - timedelta(minutes=11))
    refused = await client.delete(ME, headers=person.headers)

    answer = await client.post(AGAIN, json={"password": PASSWORD}, headers=person.headers)

    assert (refused.status_code, refused.json()["code"]) == (403, "reauth_required")
    assert (answer.status_code, answer.json()["current"]) == (200, True)
    assert answer.json()["authenticated_at"] > answer.json()["created_at"]
    with time_machine.travel(utc_now() + timedelta(minutes=9)):
        assert (await client.post(f"{ME}/email", json={"email": "new@example.com"}, headers=person.headers)).is_success
    with time_machine.travel(utc_now() + timedelta(minutes=11)):
        pair = (await refresh(client, person.refresh_token)).json()
        assert (await client.delete(ME, headers=bearer(pair["access_token"]))).status_code == 403
    assert (await client.delete(ME, headers=bearer(pair["access_token"]))).status_code == 204


async def test_it_is_for_this_session_alone_and_known_to_every_worker(deployment: Deployment) -> None:
    here, there = await deployment.start(), await deployment.start()
    await warm(here, there)
    people = People(here)
    person = await people.create(signed_in_at=utc_now() - timedelta(minutes=11))
    other = await people.sign_in(person.id, person.email, at=utc_now() - timedelta(minutes=11))
    async with client_of(here) as client, client_of(there) as elsewhere:
        for each in (person, other):
            assert (await elsewhere.get(ME, headers=each.headers)).status_code == 200
        assert (await client.post(AGAIN, json={"password": PASSWORD}, headers=person.headers)).status_code == 200

        async def is_admitted() -> bool:
            return (await elsewhere.delete(ME, headers=person.headers)).status_code == 204

        assert (await elsewhere.delete(ME, headers=other.headers)).status_code == 403
        await until_it_holds(is_admitted)


@pytest.mark.usefixtures("clock")
@pytest.mark.asvs("6.3.1", "16.3.1")
async def test_a_wrong_password_opens_nothing_and_tries_are_limited(app: Litestar, people: People) -> None:
    """They count together with those at a change of the password: a stolen session must not find it out."""
    person = await people.create(signed_in_at=utc_now() - timedelta(minutes=11))
    async with people.client(person) as calls:
        wrong = [await calls.post(AGAIN, json={"password": f"try {number}"}) for number in range(5)]
        body = {"current_password": "not it", "new_password": "an even finer day"}
        wrong += [await calls.post(f"{ME}/password", json=body) for _ in range(5)]
        cut_short = await calls.post(AGAIN, json={"password": PASSWORD})
        still = await calls.delete(ME)

    assert [each.status_code for each in wrong] == [403] * 10
    assert (fields(wrong[0]), wrong[0].json()["code"]) == ({"/password": "invalid_choice"}, "invalid_credentials")
    assert (cut_short.status_code, still.status_code) == (429, 403)
    assert len(await audited(app, "password.refused")) == 10
