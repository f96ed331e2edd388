"""People choose which mails they get."""

import asyncio

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import delete

from app.domain.accounts.models import User
from app.lib.mail.delivery import Deliverer
from app.lib.mail.rows import MailStatus
from tests.domain.accounts.answers import field_errors, is_refused, own_tag
from tests.domain.notifications.steps import MINE, confirmed, mails
from tests.support.apps import client_of, core_of
from tests.support.mail import send_queued
from tests.support.people import PASSWORD, People, Person


async def test_preferences_are_read_and_updated_with_versions(calls: httpx.AsyncClient, caller: Person) -> None:
    first = await calls.get(MINE)
    empty = await calls.patch(MINE, json={})
    changed = await calls.patch(MINE, json={"getting_started": False})
    same = await calls.patch(MINE, json={"getting_started": False})
    stale = await calls.patch(MINE, json={"getting_started": True}, headers={"If-Match": '"1"'})
    back = await calls.patch(MINE, json={"getting_started": True}, headers={"If-Match": '"2"'})

    assert (first.status_code, first.headers["etag"]) == (200, own_tag(1, caller))
    assert first.json() == empty.json() == {"getting_started": True, "version": 1}
    assert changed.json() == same.json() == {"getting_started": False, "version": 2}
    assert is_refused(stale, 412, "precondition_failed")
    assert back.json() == (await calls.get(MINE)).json() == {"getting_started": True, "version": 3}
    assert (await calls.get(MINE, headers={"If-None-Match": own_tag(3, caller)})).status_code == 304


async def test_invalid_values_are_refused(calls: httpx.AsyncClient) -> None:
    refused = await calls.patch(MINE, json={"getting_started": None, "security": False})

    assert field_errors(refused) == {"/getting_started": "invalid_type", "/security": "unknown_field"}


@pytest.mark.caller("anonymous")
async def test_it_needs_a_sign_in(calls: httpx.AsyncClient) -> None:
    assert (await calls.get(MINE)).status_code == 401
    assert (await calls.patch(MINE, json={})).status_code == 401


async def test_an_account_that_another_worker_deleted_is_no_longer_signed_in(app: Litestar, people: People) -> None:
    """This worker may remember the caller for a second; what it answers then is the same as later."""
    person = await people.create()
    async with people.client(person) as calls:
        assert (await calls.get(MINE)).status_code == 200
        async with core_of(app).database.independent() as unit:
            await unit.session.execute(delete(User).where(User.id == person.id))

        answers = [await calls.get(MINE), await calls.patch(MINE, json={"getting_started": False})]

    assert all(is_refused(answer, 401, "invalid_token") for answer in answers)
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer error="invalid_token"'}


async def test_many_first_changes_at_once_make_one_row(people: People) -> None:
    person = await people.create()
    async with people.client(person) as calls:
        answers = await asyncio.gather(*(calls.patch(MINE, json={"getting_started": False}) for _ in range(6)))

        assert {(answer.status_code, answer.json()["version"]) for answer in answers} == {(200, 2)}
        assert (await calls.get(MINE)).json()["version"] == 2


async def test_a_change_concerns_one_user_only(people: People) -> None:
    ada, eve = await people.create(), await people.create()
    async with people.client(ada) as calls:
        await calls.patch(MINE, json={"getting_started": False})
    async with people.client(eve) as calls:
        assert (await calls.get(MINE)).json() == {"getting_started": True, "version": 1}


async def test_what_is_not_wanted_is_not_sent_and_what_is_essential_is(app: Litestar, people: People) -> None:
    async with client_of(app) as client:
        person: Person = await people.sign_in(await confirmed(app, client), "ada@example.com")
    async with people.client(person) as calls:
        await calls.patch(MINE, json={"getting_started": False})
        body = {"current_password": PASSWORD, "new_password": "another fine day"}
        await calls.post("/api/v1/users/me/password", json=body)

    await send_queued(core_of(app).services.get(Deliverer), core_of(app).database)

    assert [(row.kind, row.status) for row in await mails(app)] == [
        ("verify_email", MailStatus.SUCCEEDED),
        ("welcome", MailStatus.CANCELLED),
        ("password_changed", MailStatus.SUCCEEDED),
    ]
