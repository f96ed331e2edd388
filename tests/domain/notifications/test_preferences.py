"""People choose which mails they get."""

import asyncio
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import delete

from app.domain.accounts.models import User
from app.lib.mail.delivery import Deliverer
from app.lib.mail.rows import MailStatus
from tests.domain.accounts.answers import field_errors, is_refused
from tests.domain.notifications.steps import MINE, mails, register
from tests.support.apps import client_of, core_of
from tests.support.mail import send_queued
from tests.support.people import PASSWORD, People, Person


async def test_a_new_user_receives_everything(calls: httpx.AsyncClient) -> None:
    response = await calls.get(MINE)

    assert response.status_code == 200
    assert response.json() == {"getting_started": True, "version": 1}
    assert response.headers["etag"] == '"1"'


async def test_a_change_is_kept_and_counted(calls: httpx.AsyncClient) -> None:
    changed = await calls.patch(MINE, json={"getting_started": False})
    same = await calls.patch(MINE, json={"getting_started": False})
    back = await calls.patch(MINE, json={"getting_started": True}, headers={"If-Match": '"2"'})

    assert (changed.status_code, changed.json()) == (200, {"getting_started": False, "version": 2})
    assert same.json() == changed.json()
    assert back.json() == (await calls.get(MINE)).json() == {"getting_started": True, "version": 3}
    assert back.headers["etag"] == '"3"'


async def test_an_empty_patch_changes_nothing(calls: httpx.AsyncClient) -> None:
    response = await calls.patch(MINE, json={})

    assert (response.status_code, response.json()["version"]) == (200, 1)


@pytest.mark.parametrize("tag", ['"0"', '"2"', '"x"'])
async def test_a_stale_version_is_refused(calls: httpx.AsyncClient, tag: str) -> None:
    response = await calls.patch(MINE, json={"getting_started": False}, headers={"If-Match": tag})

    assert is_refused(response, 412, "precondition_failed")
    assert (await calls.get(MINE)).json() == {"getting_started": True, "version": 1}


async def test_what_the_client_has_is_not_sent_again(calls: httpx.AsyncClient) -> None:
    assert (await calls.get(MINE, headers={"If-None-Match": '"1"'})).status_code == 304


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"getting_started": None}, {"/getting_started": "invalid_type"}),
        ({"getting_started": "false"}, {"/getting_started": "invalid_type"}),
        ({"security": False}, {"/security": "unknown_field"}),
        ({"version": 3}, {"/version": "unknown_field"}),
    ],
    ids=str,
)
async def test_invalid_values_are_refused(calls: httpx.AsyncClient, body: object, errors: dict[str, str]) -> None:
    assert field_errors(await calls.patch(MINE, json=body)) == errors


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
        registered = await register(client)
    person: Person = await people.sign_in(UUID(registered.json()["id"]), "ada@example.com")
    async with people.client(person) as calls:
        await calls.patch(MINE, json={"getting_started": False})
        body = {"current_password": PASSWORD, "new_password": "another fine day"}
        await calls.post("/api/v1/users/me/password", json=body)

    await send_queued(core_of(app).services.get(Deliverer), core_of(app).database)

    assert [(row.kind, row.status) for row in await mails(app)] == [
        ("welcome", MailStatus.SUPPRESSED),
        ("password_changed", MailStatus.SENT),
    ]
