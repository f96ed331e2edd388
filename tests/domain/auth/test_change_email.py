"""A user's own address: changed once the new one has answered, and given back to the former one."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import time_machine
from litestar import Litestar

from app.lib.clock import utc_now
from tests.domain.auth.steps import (
    CHANGE,
    FORGOT,
    ME,
    MY_EMAIL,
    OTHER_PASSWORD,
    REGISTER,
    RESET,
    REVERT,
    WRONG_LINK,
    argon2_runs,
    audited,
    fields,
    refresh,
    shown,
    sign_in,
    user_row,
    without_purges,
)
from tests.support.apps import Deployment, client_of
from tests.support.counting import counted_statements
from tests.support.links import Received, newest, received
from tests.support.people import PASSWORD, People, Person

ADA, NEW, NEWER, THIEF = "ada@example.com", "Ada@New.example", "ada@newer.example", "thief@example.com"


@pytest_asyncio.fixture
async def ada(people: People) -> Person:
    return await people.create(email=ADA, is_verified=True)


async def ask(app: Litestar, person: Person, email: str) -> httpx.Response:
    async with client_of(app, headers=person.headers) as client:
        return await client.post(MY_EMAIL, json={"email": email})


async def post(app: Litestar, route: str, **body: Any) -> httpx.Response:
    async with client_of(app) as client:
        return await client.post(route, json=body)


async def change(app: Litestar, person: Person, email: str) -> Received | None:
    """Returns the mail to the former address."""
    before = len(await received(app, "revert_email"))
    assert (await ask(app, person, email)).status_code == 202
    mail = await newest(app, "change_email")
    assert mail.to == email
    assert (await post(app, CHANGE, token=mail.token)).status_code == 204
    after = await received(app, "revert_email")
    return after[-1] if len(after) > before else None


async def address(app: Litestar, person: Person) -> str:
    email: str = (await user_row(app, person.id)).email
    return email


async def test_the_address_changes_when_the_new_one_has_answered(
    app: Litestar, client: httpx.AsyncClient, ada: Person
) -> None:
    answer = await ask(app, ada, NEW)
    link = await newest(app, "change_email")
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    assert await address(app, ada) == ADA

    first = await post(app, CHANGE, token=link.token)
    second = await post(app, CHANGE, token=link.token)

    assert (first.status_code, second.status_code, fields(second)) == (204, 422, WRONG_LINK)
    me = (await client.get(ME, headers=ada.headers)).json()
    assert (me["email"], me["is_verified"]) == (NEW, True)
    assert (await sign_in(client, ADA)).status_code == 401
    assert (await sign_in(client, NEW.lower())).status_code == 200
    (event,) = await audited(app, "email.changed")
    assert (event.subject_id, event.details["fields"]) == (ada.id, ["email"])
    assert [(each.kind, each.to) for each in await received(app)] == [("change_email", NEW), ("revert_email", ADA)]


@pytest.mark.asvs("7.5.1")
async def test_a_change_needs_a_recent_sign_in(app: Litestar, people: People) -> None:
    old = await people.create(signed_in_at=utc_now() - timedelta(minutes=11))

    answer = await ask(app, old, NEW)

    assert (answer.status_code, answer.json()["code"]) == (403, "reauth_required")
    assert await received(app) == []


async def test_the_newest_request_counts_and_for_a_day(app: Litestar, ada: Person) -> None:
    await ask(app, ada, THIEF)
    old = await newest(app, "change_email")
    await ask(app, ada, NEW)
    new = await newest(app, "change_email")

    assert fields(await post(app, CHANGE, token=old.token)) == WRONG_LINK
    with time_machine.travel(utc_now() + timedelta(hours=25)):
        assert fields(await post(app, CHANGE, token=new.token)) == WRONG_LINK
    answers = await asyncio.gather(*[post(app, CHANGE, token=new.token) for _ in range(4)])

    assert sorted(each.status_code for each in answers) == [204, 422, 422, 422]
    assert await address(app, ada) == NEW


@pytest.mark.asvs("6.3.8")
async def test_the_answer_does_not_say_whether_another_account_has_the_address(
    app: Litestar, people: People, ada: Person
) -> None:
    await people.create(email=THIEF)
    assert (await ask(app, ada, NEWER)).status_code == 202  # from now on the caller is remembered
    answers, work = [], []
    for email in (THIEF, NEW):
        with counted_statements(app) as statements:
            answers.append(shown(await ask(app, ada, email)))
        work.append(len(without_purges(statements)))

    assert answers[0] == answers[1]
    assert work[0] == work[1]
    assert [each.to for each in await received(app)] == [NEWER, NEW]


async def test_an_address_that_was_taken_in_the_meantime_stays_where_it_is(
    app: Litestar, client: httpx.AsyncClient, people: People, ada: Person
) -> None:
    await ask(app, ada, NEW)
    link = await newest(app, "change_email")
    await people.create(email=NEW)

    answer = await post(app, CHANGE, token=link.token)
    page = await client.post(link.path)

    assert (answer.status_code, answer.json()["code"]) == (409, "duplicate")
    assert (page.status_code, "<form" in page.text, "Another account" in page.text) == (409, False, True)
    assert await address(app, ada) == ADA


async def test_the_present_address_and_nonsense_are_refused(app: Litestar, ada: Person) -> None:
    for email, code in ((ADA.upper(), "invalid_choice"), ("nonsense", "invalid_format")):
        assert fields(await ask(app, ada, email)) == {"/email": code}


@pytest.mark.usefixtures("clock")
@pytest.mark.asvs("6.3.1")
async def test_a_user_cannot_fill_the_mailbox_of_a_stranger(app: Litestar, people: People) -> None:
    statuses = []
    for number in range(6):
        person = await people.create(email=f"p{number}@example.com")
        statuses.append((await ask(app, person, THIEF)).status_code)

    assert statuses == [202] * 5 + [429]


@pytest.mark.asvs("6.3.7", "7.4.3")
async def test_the_former_address_gets_the_account_back(app: Litestar, client: httpx.AsyncClient, ada: Person) -> None:
    """From a thief who knows the password and is signed in."""
    mail = await change(app, ada, THIEF)
    assert mail is not None
    assert mail.to == ADA
    weak = await post(app, REVERT, token=mail.token, password="password1")
    assert (await client.get(ME, headers=ada.headers)).status_code == 200

    done = await post(app, REVERT, token=mail.token, password=OTHER_PASSWORD)

    assert fields(weak) == {"/password": "weak_password"}
    assert done.status_code == 204
    assert await address(app, ada) == ADA
    assert (await client.get(ME, headers=ada.headers)).status_code == 401
    assert (await refresh(client, ada.refresh_token)).status_code == 401
    assert (await sign_in(client, ADA, PASSWORD)).status_code == 401
    assert (await sign_in(client, ADA, OTHER_PASSWORD)).status_code == 200
    assert len(await audited(app, "email.reverted")) == 1
    assert fields(await post(app, REVERT, token=mail.token, password=PASSWORD)) == WRONG_LINK


async def test_a_change_can_be_undone_for_72_hours(app: Litestar, ada: Person) -> None:
    mail = await change(app, ada, NEW)
    assert mail is not None
    with time_machine.travel(utc_now() + timedelta(hours=73)):
        assert fields(await post(app, REVERT, token=mail.token, password=OTHER_PASSWORD)) == WRONG_LINK
    with time_machine.travel(utc_now() + timedelta(hours=71)):
        assert (await post(app, REVERT, token=mail.token, password=OTHER_PASSWORD)).status_code == 204


async def test_a_thief_cannot_make_a_change_final(app: Litestar, client: httpx.AsyncClient, ada: Person) -> None:
    """Neither by another change, nor by a reset, nor by a registration with the former address."""
    owners = await change(app, ada, THIEF)
    thiefs = await change(app, ada, "thief2@example.com")
    assert owners is not None
    assert thiefs is not None
    await post(app, FORGOT, email="thief2@example.com")
    reset = await newest(app, "reset_password")
    assert (await post(app, RESET, token=reset.token, password="the thief knows it")).status_code == 204
    registered = await post(app, REGISTER, email=ADA, password=PASSWORD)
    await post(app, FORGOT, email="thief2@example.com")
    pending = await newest(app, "reset_password")

    assert registered.status_code == 409
    assert (await post(app, REVERT, token=owners.token, password=OTHER_PASSWORD)).status_code == 204
    assert await address(app, ada) == ADA
    for route, token in ((REVERT, thiefs.token), (RESET, pending.token)):
        assert fields(await post(app, route, token=token, password="the thief knows it")) == WRONG_LINK
    assert (await sign_in(client, ADA, OTHER_PASSWORD)).status_code == 200


async def test_a_later_revert_leaves_the_earlier_one(app: Litestar, ada: Person) -> None:
    """Else the thief could use the link that their own first address got."""
    owners = await change(app, ada, THIEF)
    thiefs = await change(app, ada, "thief2@example.com")
    assert owners is not None
    assert thiefs is not None

    assert (await post(app, REVERT, token=thiefs.token, password="the thief knows it")).status_code == 204
    assert await address(app, ada) == THIEF
    assert (await post(app, REVERT, token=owners.token, password=OTHER_PASSWORD)).status_code == 204
    assert await address(app, ada) == ADA


async def test_no_one_else_gets_an_address_that_can_be_taken_back(deployment: Deployment) -> None:
    """Where no answer says what is taken, this one does not either."""
    app = await deployment.start(REQUIRE_VERIFIED_EMAIL="true")
    people = People(app)
    ada, eve = await people.create(email=ADA, is_verified=True), await people.create(email="eve@example.com")
    await change(app, ada, NEW)
    answers, work = [], []
    for email in (ADA, "free@example.com"):
        with counted_statements(app) as statements, argon2_runs() as runs:
            answers.append(shown(await post(app, REGISTER, email=email, password=PASSWORD)))
        work.append((len(without_purges(statements)), runs))
    await ask(app, eve, ADA)
    link = await newest(app, "change_email")

    assert answers[0] == answers[1]
    assert work[0] == work[1]
    assert [each.to for each in await received(app, "verify_email")] == ["free@example.com"]
    assert (await post(app, CHANGE, token=link.token)).status_code == 409
    with time_machine.travel(utc_now() + timedelta(hours=73)):
        assert (await post(app, REGISTER, email=ADA, password=PASSWORD)).status_code == 202
        assert (await newest(app, "verify_email")).to == ADA


@pytest.mark.asvs("6.3.7")
async def test_an_address_that_was_never_confirmed_gets_a_notice_without_a_link(app: Litestar, people: People) -> None:
    """It may be the owner's; or a stranger's, who must not get the account. Once a day, because strangers cause it."""
    boss = await people.create(is_superuser=True)
    for number in range(2):
        person = await people.create(email="typo@example.com")
        async with people.client(boss) as calls:
            url = f"/api/v1/users/{person.id}"
            if number:
                assert (await calls.patch(url, json={"email": f"{number}{NEW}"})).status_code == 200
            else:
                assert await change(app, person, NEW) is None

    [notice] = await received(app, "address_replaced")
    assert (notice.to, "token=" in notice.text, await received(app, "revert_email")) == ("typo@example.com", False, [])


@pytest.mark.caller("superuser")
async def test_a_change_by_an_administrator_ends_what_was_asked_for(
    app: Litestar, calls: httpx.AsyncClient, ada: Person
) -> None:
    await ask(app, ada, THIEF)
    link = await newest(app, "change_email")
    assert (await calls.patch(f"/api/v1/users/{ada.id}", json={"email": NEWER})).status_code == 200

    assert fields(await post(app, CHANGE, token=link.token)) == WRONG_LINK
    assert await address(app, ada) == NEWER


async def test_the_pages_change_and_undo(app: Litestar, client: httpx.AsyncClient, ada: Person) -> None:
    await ask(app, ada, NEW)
    link = await newest(app, "change_email")
    page = await client.get(link.path)
    changed = await client.post(link.path)
    undo = await newest(app, "revert_email")
    offered = await client.get(undo.path, headers={"Accept-Language": "de"})
    undone = await client.post(undo.path, data={"password": OTHER_PASSWORD})

    assert ("<form" in page.text, "password" in page.text) == (True, False)
    assert (changed.status_code, "has this address now" in changed.text) == (200, True)
    assert ("Hole deine E-Mail-Adresse zurück" in offered.text, "password" in offered.text) == (True, True)
    assert (undone.status_code, "again" in undone.text) == (200, True)
    assert await address(app, ada) == ADA


@pytest.mark.asvs("6.3.7", "8.2.2", "7.5.1")
async def test_an_administrator_changes_no_address_unseen(app: Litestar, people: People, ada: Person) -> None:
    """Their own they confirm like everyone; who had another one can undo it."""
    admin = await people.create(email="boss@example.com", permissions=["users:read", "users:write"], is_verified=True)
    new = await people.create(email="unconfirmed@example.com")
    async with people.client(admin) as theirs:
        for own in (THIEF, "BOSS@example.com"):
            refused = await theirs.patch(f"/api/v1/users/{admin.id}", json={"email": own})
            assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
        assert (await theirs.patch(f"/api/v1/users/{ada.id}", json={"email": ADA.title()})).status_code == 200
        assert (await theirs.patch(f"/api/v1/users/{new.id}", json={"email": NEWER})).status_code == 200
        assert await received(app, "revert_email") == []
        assert (await theirs.patch(f"/api/v1/users/{ada.id}", json={"email": THIEF})).status_code == 200

    assert (await address(app, admin)) == "boss@example.com"
    (mail,) = await received(app, "revert_email")
    assert mail.to == ADA.title()
    assert (await audited(app, "user.updated"))[-1].details["fields"] == ["email", "is_verified"]
    assert (await post(app, REVERT, token=mail.token, password=OTHER_PASSWORD)).status_code == 204
    assert (await address(app, ada)) == ADA.title()
    async with client_of(app) as client:
        assert (await sign_in(client, ADA, OTHER_PASSWORD)).status_code == 200
