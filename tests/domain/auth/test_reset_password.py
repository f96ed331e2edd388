"""A forgotten password is reset by a mailed link."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import time_machine
from litestar import Litestar

from app.lib.clock import utc_now
from app.lib.db.base import new_id
from tests.domain.auth.steps import (
    FORGOT,
    ME,
    OTHER_PASSWORD,
    RESET,
    SEND_CODE,
    VERIFY,
    WRONG_LINK,
    audited,
    bearer,
    change_user,
    fields,
    refresh,
    shown,
    sign_in,
    user_row,
    without_purges,
)
from tests.support.apps import client_of
from tests.support.counting import counted_statements
from tests.support.links import Received, newest, received, run_mail_jobs
from tests.support.people import PASSWORD, People, Person

ADA, OTHER = "ada@example.com", OTHER_PASSWORD


async def forgotten(app: Litestar, email: str = ADA) -> Received:
    """Asks for a link, and returns the mail."""
    async with client_of(app) as client:
        answer = await client.post(FORGOT, json={"email": email})
    assert answer.status_code == 202, answer.text
    return await newest(app, "reset_password")


async def reset(app: Litestar, token: str, password: str = OTHER) -> httpx.Response:
    async with client_of(app) as client:
        return await client.post(RESET, json={"token": token, "password": password})


@pytest.mark.asvs("6.4.3", "7.4.3", "6.4.4")
async def test_a_reset_ends_every_session_and_signs_no_one_in(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create(email=ADA)
    other = await people.sign_in(person.id, ADA)
    for session in (person, other):
        assert (await client.get(ME, headers=session.headers)).status_code == 200

    answer = await reset(app, (await forgotten(app)).token)

    assert (answer.status_code, answer.content, answer.headers.get("set-cookie")) == (204, b"", None)
    for session in (person, other):
        assert (await client.get(ME, headers=session.headers)).status_code == 401
        assert (await refresh(client, session.refresh_token)).status_code == 401
    assert (await sign_in(client, ADA, PASSWORD)).status_code == 401
    assert (await sign_in(client, ADA, OTHER)).status_code == 200


@pytest.mark.asvs("16.3.1")
async def test_a_reset_confirms_the_address_is_audited_and_notified(app: Litestar, people: People) -> None:
    person = await people.create(email=ADA)

    assert (await reset(app, (await forgotten(app)).token)).status_code == 204

    assert (await user_row(app, person.id)).is_verified
    (requested,) = await audited(app, "link.requested")
    (done,) = await audited(app, "password.reset")
    assert (requested.subject_id, requested.details) == (person.id, {"purpose": "reset_password"})
    assert (done.subject_id, done.actor_id, done.details) == (person.id, None, {})
    assert done.address == requested.address == "203.0.113.7"
    assert sorted(each.kind for each in await received(app)) == ["password_changed", "reset_password", "welcome"]


@pytest.mark.asvs("6.4.1", "6.5.5")
async def test_only_the_newest_link_is_good_for_half_an_hour_and_once(app: Litestar, people: People) -> None:
    await people.create(email=ADA)
    old, new = await forgotten(app), await forgotten(app)

    assert old.token != new.token
    assert fields(await reset(app, old.token)) == WRONG_LINK
    with time_machine.travel(utc_now() + timedelta(minutes=31)):
        assert fields(await reset(app, new.token)) == WRONG_LINK
    with time_machine.travel(utc_now() + timedelta(minutes=29)):
        answers = await asyncio.gather(*[reset(app, new.token, f"{OTHER} {number}") for number in range(4)])
    assert sorted(each.status_code for each in answers) == [204, 422, 422, 422]
    assert len(await audited(app, "password.reset")) == 1


async def test_a_weak_password_is_refused_and_uses_nothing_up(app: Litestar, people: People) -> None:
    await people.create(email=ADA, name="Ada Lovelace")
    mail = await forgotten(app)

    refused = [await reset(app, mail.token, password) for password in ("short", "password1", "lovelace rules")]

    assert [fields(each)["/password"] for each in refused] == ["too_short", "weak_password", "weak_password"]
    assert (await reset(app, mail.token)).status_code == 204


async def test_each_link_is_good_for_its_own_purpose(app: Litestar, people: People) -> None:
    await people.create(email=ADA)
    mail = await forgotten(app)
    async with client_of(app) as client:
        await client.post(SEND_CODE, json={"email": ADA})
        confirmation = await newest(app, "verify_email")
        crossed = [
            await reset(app, confirmation.token),
            await client.post(VERIFY, json={"token": mail.token, "password": OTHER}),
            await client.get(mail.path.replace("reset-password", "verify-email")),
            await client.get(ME, headers=bearer(mail.token)),
        ]

    assert [each.status_code for each in crossed] == [422, 422, 404, 401]


async def test_a_new_password_makes_older_links_worthless(app: Litestar, people: People) -> None:
    """They may have been asked for by a thief."""
    person = await people.create(email=ADA)
    mail = await forgotten(app)
    async with people.client(person) as calls:
        body = {"current_password": PASSWORD, "new_password": "another fine day"}
        assert (await calls.post(f"{ME}/password", json=body)).is_success

    assert fields(await reset(app, mail.token)) == WRONG_LINK


async def test_the_page_takes_the_new_password(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    await people.create(email=ADA, locale="de")
    mail = await forgotten(app)
    page = await client.get(mail.path, headers={"Accept-Language": "de"})
    done = await client.post(mail.path, data={"password": OTHER}, headers={"Accept-Language": "de"})

    assert "Link gilt 30 Minuten" in mail.text
    assert (page.status_code, "Wähle ein neues Passwort" in page.text) == (200, True)
    assert (done.status_code, "ist gesetzt" in done.text, "<form" in done.text) == (200, True, False)
    assert (await sign_in(client, ADA, OTHER)).status_code == 200


@pytest.mark.caller("users:read", "users:write")
@pytest.mark.asvs("6.4.6")
async def test_an_administrator_has_a_link_sent_and_sees_no_secret(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, people: People
) -> None:
    person = await people.create(email=ADA)
    url = f"/api/v1/users/{person.id}/send-password-reset"

    answer = await calls.post(url)
    missing = await calls.post(url.replace(str(person.id), str(new_id())))
    powerless = await people.create()
    async with people.client(powerless) as others:
        hidden = await others.post(url)

    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    assert (missing.status_code, hidden.status_code) == (404, 404)
    (requested,) = await audited(app, "link.requested")
    assert (requested.actor_id, requested.subject_id) == (caller.id, person.id)
    (mail,) = await received(app)
    assert (mail.to, mail.token in answer.text) == (ADA, False)
    assert (await reset(app, mail.token)).status_code == 204


@pytest.mark.asvs("6.3.8")
async def test_the_answer_says_nothing_about_the_account(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    """Neither its words nor its work."""
    person = await people.create(email=ADA)
    await people.create(email="banned@example.com", is_active=False)
    answers, work = [], []
    for email in (ADA, "unknown@example.com", "banned@example.com", "ADA@example.com"):
        with counted_statements(app) as statements:
            answers.append(shown(await client.post(FORGOT, json={"email": email})))
        work.append(len(without_purges(statements)))

    assert answers == [answers[0]] * 4
    assert work == [work[0]] * 4
    assert [each.to for each in await received(app)] == [ADA]
    await change_user(app, person.id, is_active=False)
    assert fields(await reset(app, (await newest(app, "reset_password")).token)) == WRONG_LINK


@pytest.mark.usefixtures("clock")
@pytest.mark.asvs("6.3.1")
async def test_requests_are_limited_for_an_address_whether_it_has_an_account_or_not(
    app: Litestar, people: People
) -> None:
    await people.create(email=ADA)
    for email in (ADA, "unknown@example.com"):
        statuses = []
        for number in range(11):
            async with client_of(app, address=f"198.51.100.{number // 3}") as client:
                statuses.append((await client.post(FORGOT, json={"email": email})).status_code)
        assert statuses == [202] * 10 + [429]


@pytest.mark.asvs("6.3.8")
async def test_each_request_enqueues_a_job_of_its_own_for_known_and_unknown_addresses(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    """A job that is there already would cost less, and the time would tell."""
    person = await people.create()

    for path in (FORGOT, SEND_CODE):
        for email in (person.email, "unknown1@example.com", "unknown2@example.com"):
            assert (await client.post(path, json={"email": email})).status_code == 202

    assert await run_mail_jobs(app) == 6
