"""An address is confirmed by what was mailed to it: a link or a code."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import time_machine
from litestar import Litestar
from sqlalchemy import select

from app.asgi import DOMAINS
from app.domain.auth.models import MailedLink
from app.lib.clock import utc_now
from tests.domain.auth.steps import (
    ME,
    OTHER_PASSWORD,
    REGISTER,
    SEND_CODE,
    STRANGER,
    VERIFY,
    WRONG_LINK,
    audited,
    bearer,
    change_user,
    fields,
    shown,
    sign_in,
    sign_in_from,
    user_row,
    without_purges,
)
from tests.support.apps import Deployment, client_of, core_of
from tests.support.counting import counted_statements
from tests.support.jobs import run_job
from tests.support.links import Received, newest, received
from tests.support.people import PASSWORD, People

ADA, OTHER = "ada@example.com", OTHER_PASSWORD
WRONG_CODE = {"/code": "invalid_choice"}


@pytest_asyncio.fixture
async def strict(deployment: Deployment) -> Litestar:
    deployment.domains = DOMAINS
    return await deployment.start(REQUIRE_VERIFIED_EMAIL="true")


async def register(app: Litestar, email: str = ADA, password: str = PASSWORD) -> Received:
    """Returns the mail that it causes."""
    async with client_of(app) as client:
        answer = await client.post(REGISTER, json={"email": email, "password": password})
    assert answer.status_code in {201, 202}, answer.text
    mail = await newest(app, "verify_email")
    assert mail.to == email
    return mail


async def verify(app: Litestar, **body: Any) -> httpx.Response:
    async with client_of(app) as client:
        return await client.post(VERIFY, json=body)


async def is_verified(app: Litestar) -> bool:
    (event,) = await audited(app, "user.registered")
    verified: bool = (await user_row(app, event.subject_id)).is_verified
    return verified


async def test_the_link_confirms_the_address_once(app: Litestar) -> None:
    mail = await register(app)
    assert not await is_verified(app)

    first = await verify(app, token=mail.token, password=PASSWORD)
    second = await verify(app, token=mail.token, password=PASSWORD)

    assert (first.status_code, first.content) == (204, b"")
    assert (second.status_code, fields(second)) == (422, WRONG_LINK)
    assert await is_verified(app)
    assert len(await audited(app, "email.verified")) == 1
    assert [each.kind for each in await received(app)] == ["verify_email", "welcome"]


async def test_the_code_of_the_same_mail_does_as_well(app: Litestar) -> None:
    mail = await register(app)
    other = await register(app, "eve@example.com")

    wrong = [
        await verify(app, email=ADA, code=f"{(int(mail.code) + 1) % 1_000_000:06}", password=PASSWORD),
        await verify(app, email="unknown@example.com", code=mail.code, password=PASSWORD),
        *([] if mail.code == other.code else [await verify(app, email=ADA, code=other.code, password=PASSWORD)]),
    ]
    right = await verify(app, email="ADA@Example.com", code=mail.code, password=PASSWORD)

    for answer in wrong:
        assert (answer.status_code, fields(answer)) == (422, WRONG_CODE)
    assert shown(wrong[0]) == shown(wrong[1])
    assert right.status_code == 204
    assert fields(await verify(app, token=mail.token, password=PASSWORD)) == WRONG_LINK, "both are one secret"


@pytest.mark.asvs("6.4.4", "6.2.1")
async def test_who_registered_a_strangers_address_keeps_no_password_that_the_owner_confirms(strict: Litestar) -> None:
    mail = await register(strict, password="the password of a thief")

    assert (await verify(strict, token=mail.token, password=OTHER)).status_code == 204

    async with client_of(strict) as client:
        assert (await sign_in(client, ADA, "the password of a thief")).status_code == 401
        assert (await sign_in(client, ADA, OTHER)).status_code == 200


async def test_a_confirmation_with_another_password_ends_the_sessions_of_who_registered(app: Litestar) -> None:
    """Where an address need not be confirmed, they may have signed in. The same password ends nothing."""
    async with client_of(app) as client:
        for email, password, status in ((ADA, OTHER, 401), ("eve@example.com", PASSWORD, 200)):
            mail = await register(app, email)
            token = (await sign_in(client, email)).json()["access_token"]
            assert (await client.get(ME, headers=bearer(token))).status_code == 200
            assert (await verify(app, token=mail.token, password=password)).status_code == 204
            assert (await client.get(ME, headers=bearer(token))).status_code == status

    assert len(await audited(app, "password.changed")) == 1


async def test_a_new_password_has_to_be_a_good_one_and_a_refusal_uses_nothing_up(app: Litestar) -> None:
    mail = await register(app)

    for password, code in (
        ("short", "too_short"),
        ("password1", "weak_password"),
        ("Lodestar forever", "weak_password"),
    ):
        answer = await verify(app, token=mail.token, password=password)
        assert (answer.status_code, fields(answer)) == (422, {"/password": code})
    missing = await verify(app, token=mail.token)

    assert (missing.status_code, fields(missing)) == (422, {"/password": "required"})
    assert (await verify(app, token=mail.token, password=OTHER)).status_code == 204


async def test_who_is_signed_in_needs_no_password(app: Litestar, people: People) -> None:
    mail = await register(app)
    stranger = await people.create()
    async with client_of(app) as client:
        own = (await sign_in(client, ADA)).json()["access_token"]
        foreign = await client.post(VERIFY, json={"token": mail.token}, headers=stranger.headers)
        bad = await client.post(VERIFY, json={"token": mail.token}, headers=bearer("nonsense"))
        right = await client.post(VERIFY, json={"email": ADA, "code": mail.code}, headers=bearer(own))
        still = await client.get(ME, headers=bearer(own))

    assert (foreign.status_code, fields(foreign)) == (422, WRONG_LINK)
    assert bad.status_code == 401
    assert right.status_code == 204
    assert (still.status_code, still.json()["is_verified"]) == (200, True)


@pytest.mark.parametrize(
    "body",
    [{}, {"email": ADA}, {"code": "123456"}, {"token": "x", "code": "123456"}, {"token": "x", "email": ADA}],
    ids=lambda body: "-".join(body) or "nothing",
)
async def test_one_secret_is_sent(app: Litestar, body: dict[str, str]) -> None:
    assert fields(await verify(app, password=PASSWORD, **body)) == {"": "required"}


async def test_of_two_who_hold_a_link_one_uses_it(app: Litestar) -> None:
    mail = await register(app)

    answers = await asyncio.gather(*[verify(app, token=mail.token, password=PASSWORD) for _ in range(4)])

    assert sorted(each.status_code for each in answers) == [204, 422, 422, 422]
    assert len(await received(app, "welcome")) == 1


@pytest.mark.asvs("6.4.1")
async def test_only_the_newest_mail_is_good_and_for_a_day(app: Litestar, client: httpx.AsyncClient) -> None:
    old = await register(app)
    answer = await client.post(SEND_CODE, json={"email": ADA})
    new = await newest(app, "verify_email")

    assert answer.status_code == 202
    assert answer.json()["status"] == "accepted"
    assert old.token != new.token
    assert fields(await verify(app, token=old.token, password=PASSWORD)) == WRONG_LINK
    if old.code != new.code:
        assert fields(await verify(app, email=ADA, code=old.code, password=PASSWORD)) == WRONG_CODE
    with time_machine.travel(utc_now() + timedelta(hours=24, minutes=1)):
        assert fields(await verify(app, token=new.token, password=PASSWORD)) == WRONG_LINK
    with time_machine.travel(utc_now() + timedelta(hours=23, minutes=59)):
        assert (await verify(app, token=new.token, password=PASSWORD)).status_code == 204


async def test_a_link_is_no_good_once_the_user_has_another_address_or_is_deactivated(app: Litestar) -> None:
    mail = await register(app)
    (event,) = await audited(app, "user.registered")

    for values in ({"email": "x@example.com", "email_key": "x@example.com"}, {"is_active": False}):
        await change_user(app, event.subject_id, **values)
        assert fields(await verify(app, token=mail.token, password=PASSWORD)) == WRONG_LINK
        await change_user(app, event.subject_id, email=ADA, email_key=ADA, is_active=True)

    assert (await verify(app, token=mail.token, password=PASSWORD)).status_code == 204


@pytest.mark.asvs("11.4.1")
async def test_nothing_that_was_mailed_is_in_the_database(app: Litestar) -> None:
    mail = await register(app)
    async with core_of(app).database.independent() as unit:
        (row,) = await unit.session.execute(select(MailedLink.__table__))

    assert mail.token.encode() not in (row.digest, row.code_digest)
    assert mail.token not in repr(row)
    assert mail.code.encode() not in (row.code_digest, row.digest)
    assert len(row.code_digest) == len(row.digest) == 32


@pytest.mark.asvs("6.3.8")
async def test_a_resend_says_nothing_about_the_account(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    """Neither by its answer, nor by its work."""
    await register(app)
    await people.create(email="grace@example.com", is_verified=True)
    await people.create(email="banned@example.com", is_active=False)
    answers, work = [], []
    for email in (ADA, "grace@example.com", "unknown@example.com", "banned@example.com"):
        with counted_statements(app) as statements:
            answers.append(shown(await client.post(SEND_CODE, json={"email": email})))
        work.append(len(without_purges(statements)))

    assert answers == [answers[0]] * 4
    assert answers[0][0] == 202
    assert work == [work[0]] * 4
    assert [each.to for each in await received(app, "verify_email")] == [ADA] * 2


@pytest.mark.usefixtures("clock")
@pytest.mark.asvs("6.3.1")
async def test_mails_are_limited_for_an_address_whether_it_has_an_account_or_not(app: Litestar) -> None:
    await register(app)
    for email in (ADA, "unknown@example.com"):
        async with client_of(app) as client:
            near = [(await client.post(SEND_CODE, json={"email": email.upper()})).status_code for _ in range(6)]
        far = []
        for number in range(6):
            async with client_of(app, address=f"198.51.100.{number + 1}") as client:
                far.append((await client.post(SEND_CODE, json={"email": email})).status_code)

        assert (near, far) == ([202] * 5 + [429], [202] * 5 + [429])


@pytest.mark.usefixtures("clock")
@pytest.mark.asvs("6.3.1", "6.6.3")
async def test_guesses_at_a_code_are_limited(app: Litestar) -> None:
    mail = await register(app)
    wrong = f"{(int(mail.code) + 1) % 1_000_000:06}"
    for email in (ADA, "unknown@example.com"):
        statuses = []
        for number in range(21):
            async with client_of(app, address=f"198.51.{100 + number % 5}.7") as client:
                body = {"email": email, "code": wrong, "password": PASSWORD}
                statuses.append((await client.post(VERIFY, json=body)).status_code)
        assert statuses == [422] * 20 + [429]

    assert (await verify(app, email=ADA, code=mail.code, password=PASSWORD)).status_code == 429
    assert (await verify(app, token=mail.token, password=PASSWORD)).status_code == 204, "the link is good all the same"


@pytest.mark.asvs("6.3.8")
async def test_the_right_password_of_an_unconfirmed_account_is_mailed_another_link(strict: Litestar) -> None:
    """One 401 for all; what differs is in the mailbox alone."""
    await register(strict)
    answers = [
        await sign_in_from(strict, STRANGER, name, password)
        for name, password in ((ADA, PASSWORD), (ADA, "not it"), ("unknown@example.com", PASSWORD))
    ]
    mails = await received(strict, "verify_email")

    assert len({repr(shown(each)) for each in answers}) == 1
    assert answers[0].status_code == 401
    assert "confirmed" in answers[0].json()["detail"]
    assert [each.to for each in mails] == [ADA] * 2
    assert (await verify(strict, token=mails[-1].token, password=PASSWORD)).status_code == 204
    assert (await sign_in_from(strict, STRANGER, ADA)).status_code == 200


async def test_who_tries_the_password_again_and_again_does_not_fill_the_mailbox(strict: Litestar) -> None:
    await register(strict)
    for number in range(8):
        await sign_in_from(strict, f"198.51.100.{number + 1}", ADA)
        await received(strict)

    assert len(await received(strict, "verify_email")) == 5


async def test_a_second_registration_of_an_unconfirmed_address_mails_another_link(strict: Litestar) -> None:
    """Of one that is confirmed, a notice once a day."""
    await register(strict)
    again = await register(strict, password=OTHER)
    assert (await verify(strict, token=again.token, password=OTHER)).status_code == 204
    async with client_of(strict) as client:
        for _ in range(2):
            assert (await client.post(REGISTER, json={"email": ADA, "password": PASSWORD})).status_code == 202

    kinds = [each.kind for each in await received(strict)]
    assert sorted(kinds) == ["password_changed", "registered_again", "verify_email", "verify_email", "welcome"]


@pytest.mark.caller("superuser")
async def test_whom_an_administrator_creates_gets_no_link_unless_they_ask(
    app: Litestar, calls: httpx.AsyncClient
) -> None:
    created = await calls.post("/api/v1/users", json={"email": ADA, "password": PASSWORD})
    assert (created.status_code, await received(app)) == (201, [])

    await calls.post(SEND_CODE, json={"email": ADA})

    assert [each.to for each in await received(app)] == [ADA]


async def test_links_go_with_their_time_and_their_user(app: Litestar, people: People) -> None:
    await register(app)
    person = await people.sign_in((await audited(app, "user.registered"))[0].subject_id, ADA)

    async def links() -> int:
        async with core_of(app).database.independent() as unit:
            return len(list(await unit.session.execute(select(MailedLink.id))))

    await run_job(app, "sessions.purge")
    assert await links() == 1
    with time_machine.travel(utc_now() + timedelta(days=2)):
        await run_job(app, "sessions.purge")
    assert await links() == 0
    async with people.client(person) as calls:
        await calls.post(SEND_CODE, json={"email": ADA})
        await received(app)
        assert await links() == 1
        assert (await calls.delete(ME)).status_code == 204
    assert await links() == 0
