"""Who is mailed what, and when: over HTTP, to a real mail server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest
import pytest_asyncio
import time_machine
from litestar import Litestar

from app.domain.notifications.listeners import notify
from app.lib.db.base import new_id
from app.lib.db.url import DatabaseURL
from app.lib.mail.delivery import Deliverer
from app.lib.mail.rows import MailStatus
from tests.domain.notifications.steps import composed, confirmed, mails, register
from tests.support.apps import client_of, core_of, forget, running_app
from tests.support.databases import empty
from tests.support.links import received, run_mail_jobs
from tests.support.mail import send_queued
from tests.support.mailserver import MailServer
from tests.support.people import PASSWORD, People

OTHER_PASSWORD = "another fine day"


@pytest_asyncio.fixture
async def posting(shared_app: Litestar, database_url: DatabaseURL, mail: MailServer) -> AsyncIterator[Litestar]:
    """An app that sends its mail to the server, when a test calls for it."""
    await empty(core_of(shared_app).database)
    await forget(shared_app)
    async with running_app(database_url, PUBLIC_URL="https://lodestar.example", **mail.settings) as app:
        yield app


async def test_who_confirms_their_address_gets_one_welcome_mail(posting: Litestar, mail: MailServer) -> None:
    async with client_of(posting) as client:
        await confirmed(posting, client, "Ada@Example.com")
        assert (await register(client, "ada@example.com")).status_code == 409
    assert mail.messages == [], "nothing is sent inside the request"
    for _ in range(2):
        await send_queued(core_of(posting).services.get(Deliverer), core_of(posting).database)

    link, message = mail.messages
    assert link["Subject"] == "Confirm your email address"
    assert link["List-Unsubscribe"] is None
    assert mail.recipients == ["Ada@example.com"] * 2
    assert message["Subject"] == "Welcome to Lodestar"
    [welcome] = await composed(posting, "welcome")
    assert "Sign in with this email address and your password." in " ".join(welcome.text.split())
    assert message["From"] == "Lodestar <noreply@lodestar.example>"
    assert message["Message-ID"].endswith("@lodestar.example>")
    assert message["List-Unsubscribe"].startswith("<https://lodestar.example/api/v1/notifications/unsubscribe?token=")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for row in await mails(posting):
        assert (row.status, row.attempts) == (MailStatus.SUCCEEDED, 1)
        assert row.secrets is None


async def test_without_a_mail_server_in_production_mails_are_skipped(
    shared_app: Litestar, database_url: DatabaseURL
) -> None:
    await empty(core_of(shared_app).database)
    production = {"ENVIRONMENT": "production", "PUBLIC_URL": "https://lodestar.example"}
    async with running_app(database_url, **production) as app, client_of(app) as client:
        assert (await register(client)).status_code == 201
        await run_mail_jobs(app)
        await send_queued(core_of(app).services.get(Deliverer), core_of(app).database)

        (row,) = await mails(app)
        assert (row.status, row.secrets) == (MailStatus.SKIPPED, None)


async def test_a_registration_that_is_rolled_back_sends_none(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    await people.create(username="countess")

    assert (await register(client, username="Countess")).status_code == 409
    assert (await register(client, "nonsense")).status_code == 422

    assert await received(app) == []


async def test_a_bad_mail_server_loses_nothing(posting: Litestar, mail: MailServer) -> None:
    """451 to every second mail, then gone, then back: everyone has one mail."""
    answers = iter(range(1000))
    mail.script = lambda command: "451 busy" if command == "RCPT" and next(answers) % 2 else None
    core = core_of(posting)
    async with client_of(posting) as client:
        for number in range(8):
            await register(client, f"person{number}@example.com")
    await run_mail_jobs(posting)
    await send_queued(core.services.get(Deliverer), core.database)
    half = len(mail.messages)
    assert 0 < half < 8
    await mail.stop()
    assert await send_queued(core.services.get(Deliverer), core.database) == 8 - half
    await mail.start()
    mail.script = lambda _command: None
    await send_queued(core.services.get(Deliverer), core.database)

    assert sorted(mail.recipients) == [f"person{number}@example.com" for number in range(8)]
    assert len(set(mail.message_ids)) == 8


@pytest.mark.caller("superuser")
async def test_whom_an_administrator_adds_is_not_welcomed(app: Litestar, calls: httpx.AsyncClient) -> None:
    """They asked for nothing, and may not know of it."""
    created = await calls.post("/api/v1/users", json={"email": "eve@example.com", "password": PASSWORD})

    assert created.status_code == 201
    assert await received(app) == []


async def test_mail_is_in_the_persons_language(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create(locale="de-AT")
    async with people.client(person) as calls:
        body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
        assert (await calls.post("/api/v1/users/me/password", json=body)).status_code == 200

    (mail,) = await composed(app)
    assert (mail.subject, mail.locale, mail.to.address) == ("Dein Passwort wurde geändert", "de", person.email)
    assert mail.unsubscribe_url is None, "it is essential"


@pytest.mark.parametrize(
    ("header", "locale", "subject"),
    [
        ("de-AT,de;q=0.9,en;q=0.1", "de-AT", "Bestätige"),
        ("en;q=0.1, de", "de", "Bestätige"),
        ("fr-CH, *;q=0.5", "fr-CH", "Confirm"),
        ("zh-Hant-TW", "zh", "Confirm"),
        ("", "en", "Confirm"),
        ("nonsense of all kinds", "en", "Confirm"),
    ],
)
async def test_who_registers_is_mailed_in_the_language_of_their_browser(
    app: Litestar, client: httpx.AsyncClient, header: str, locale: str, subject: str
) -> None:
    person = {"email": "ada@example.com", "password": PASSWORD}
    made = await client.post("/api/v1/auth/register", json=person, headers={"Accept-Language": header})
    await run_mail_jobs(app)

    [mail] = await composed(app)
    assert (made.status_code, made.json()["locale"]) == (201, locale)
    assert subject in mail.subject


async def test_each_change_of_the_password_is_mailed_once(app: Litestar, people: People) -> None:
    person = await people.create()
    passwords = [PASSWORD, OTHER_PASSWORD, PASSWORD]
    async with people.client(person) as calls:
        for old, new in pairwise(passwords):
            body = {"current_password": old, "new_password": new}
            pair = await calls.post("/api/v1/users/me/password", json=body)
            assert pair.status_code == 200
            calls.headers["Authorization"] = f"Bearer {pair.json()['access_token']}"
        wrong = {"current_password": "not it", "new_password": OTHER_PASSWORD}
        assert (await calls.post("/api/v1/users/me/password", json=wrong)).status_code == 403

    assert [(row.kind, row.user_id, row.topic) for row in await mails(app)] == [
        ("password_changed", person.id, None)
    ] * 2


async def test_a_stolen_session_is_mailed_once(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    body = {"refresh_token": person.refresh_token}
    assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 200
    with time_machine.travel(timedelta(seconds=11)):
        replays = await asyncio.gather(*(client.post("/api/v1/auth/refresh", json=body) for _ in range(4)))

    assert {replay.status_code for replay in replays} == {401}
    (row,) = await mails(app)
    assert (row.kind, row.business_id, row.topic) == ("session_reused", str(person.session_id), None)


async def test_no_mail_repeats_what_a_stranger_wrote(app: Litestar, client: httpx.AsyncClient) -> None:
    """Anyone who registers a stranger's address chooses the name."""
    await register(client, name="Win at evil.example", username="evil.example")
    await run_mail_jobs(app)

    (mail,) = await composed(app)
    assert b"evil" not in mail.encoded()


@pytest.mark.caller("superuser")
async def test_with_an_account_go_its_mails(app: Litestar, client: httpx.AsyncClient, calls: httpx.AsyncClient) -> None:
    kept = (await register(client, "eve@example.com")).json()["id"]
    gone = (await register(client, "ada@example.com")).json()["id"]
    await run_mail_jobs(app)
    assert len(await mails(app)) == 2

    assert (await calls.delete(f"/api/v1/users/{gone}")).status_code == 204

    assert [str(row.user_id) for row in await mails(app)] == [kept]


async def test_a_deleted_user_gets_no_mail(app: Litestar) -> None:
    core = core_of(app)
    async with core.database.independent() as unit:
        await notify(unit, core.mailer, new_id(), "welcome", "1")

    assert await mails(app) == []


async def test_an_account_is_not_deleted_while_something_is_written_to_it(app: Litestar, people: People) -> None:
    """Else the mail would stay behind, with the address in it."""
    person, core = await people.create(), core_of(app)
    async with people.client(person) as calls:
        async with core.database.independent() as unit:
            await notify(unit, core.mailer, person.id, "welcome", "1")
            deletion = asyncio.create_task(calls.delete("/api/v1/users/me"))
            await asyncio.sleep(0.05)  # the deletion waits for this transaction, or the test shows nothing
            assert not deletion.done()
        assert (await deletion).status_code == 204

    assert await mails(app) == []
