"""Who gets an account back that was in other hands shares it with no one."""

from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import update

from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.auth.models import Session
from app.lib.clock import utc_now
from tests.domain.auth.factors import MFA, enroll, mfa_token, second_step
from tests.domain.auth.passkeys import NEW_OPTIONS, PASSKEYS, enrol, sign_in
from tests.domain.auth.steps import (
    CHANGE,
    FORGOT,
    ME,
    MY_EMAIL,
    OTHER_PASSWORD,
    RESET,
    REVERT,
    SEND_CODE,
    VERIFY,
    audited,
    bearer,
    whoami,
)
from tests.domain.auth.steps import sign_in as sign_in_by_password
from tests.support.apps import client_of, core_of
from tests.support.authenticators import Authenticator
from tests.support.links import newest
from tests.support.people import PASSWORD, People


async def post(app: Litestar, url: str, **body: Any) -> None:
    async with client_of(app) as client:
        answer = await client.post(url, json=body)
        assert answer.is_success, answer.text


@pytest.mark.parametrize("by_reset", [False, True])
@pytest.mark.asvs("6.5.6")
async def test_who_registered_a_strangers_address_keeps_no_factor_there(
    app: Litestar, client: httpx.AsyncClient, people: People, by_reset: bool
) -> None:
    stranger, evil = await people.create(email="ada@example.com"), Authenticator()
    async with people.client(stranger) as theirs:
        assert (await enrol(theirs, evil)).status_code == 201
        _ = await enroll(theirs, stranger)
    await post(app, FORGOT if by_reset else SEND_CODE, email="ada@example.com")
    link = await newest(app, "reset_password" if by_reset else "verify_email")
    await post(app, RESET if by_reset else VERIFY, token=link.token, password=OTHER_PASSWORD)

    assert (await sign_in(client, evil)).status_code == 401
    assert (await sign_in_by_password(client, "ada@example.com", OTHER_PASSWORD)).status_code == 200
    assert [each.subject_id for each in await audited(app, "mfa.recovered")] == [stranger.id]


@pytest.mark.asvs("6.4.3")
async def test_an_owner_who_confirms_the_address_keeps_their_factors(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    """They know the password; and a reset of a confirmed account is no way around the second factor."""
    person, phone = await people.create(email="ada@example.com"), Authenticator()
    async with people.client(person) as mine:
        assert (await enrol(mine, phone)).status_code == 201
    await post(app, SEND_CODE, email="ada@example.com")
    await post(app, VERIFY, token=(await newest(app, "verify_email")).token, password=PASSWORD)
    await post(app, FORGOT, email="ada@example.com")
    await post(app, RESET, token=(await newest(app, "reset_password")).token, password=OTHER_PASSWORD)

    refused = await sign_in_by_password(client, "ada@example.com", OTHER_PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (403, "mfa_required")
    assert (await sign_in(client, phone)).status_code == 200


@pytest.mark.parametrize("prepared", ["before", "after"])
@pytest.mark.asvs("6.5.6", "6.4.4")
async def test_an_address_that_is_taken_back_leaves_a_thief_nothing(
    app: Litestar, client: httpx.AsyncClient, people: People, prepared: str
) -> None:
    """Whenever it was made or confirmed: no date says what is the owner's own."""
    person = await people.create(email="ada@example.com", is_verified=True)
    evil, made = Authenticator(), dict[str, Any]()

    async def prepare() -> None:
        made["codes"] = (await enroll(theirs, person)).recovery_codes
        assert (await enrol(theirs, evil)).status_code == 201
        made["codes"] = (await theirs.post(f"{MFA}/recovery-codes")).json()["recovery_codes"]
        body = {"name": "Nightly", "scopes": []}
        made["key"] = (await theirs.post(f"{ME}/api-keys", json=body)).json()["key"]
        made["mfa_token"] = await mfa_token(client, person)

    async with people.client(person) as theirs:
        if prepared == "before":
            await prepare()
        assert (await theirs.post(MY_EMAIL, json={"email": "thief@example.com"})).status_code == 202
        await post(app, CHANGE, token=(await newest(app, "change_email")).token)
        person.email = "thief@example.com"
        if prepared == "after":
            await prepare()
        options = (await theirs.post(NEW_OPTIONS)).json()
    undo = await newest(app, "revert_email")
    assert "removes second factors" in undo.text
    await post(app, REVERT, token=undo.token, password=OTHER_PASSWORD)

    assert (await sign_in(client, evil)).status_code == 401
    assert (await second_step(client, made["mfa_token"], made["codes"][0])).status_code == 422
    assert (await whoami(client, made["key"])).status_code == 401
    async with people.client(person) as theirs:
        late = {"credential": Authenticator().create(options), "name": "Late"}
        assert (await theirs.post(PASSKEYS, json=late)).status_code == 401
    pair = await sign_in_by_password(client, "ada@example.com", OTHER_PASSWORD)
    assert pair.status_code == 200, "without a second factor"
    state = (await client.get(MFA, headers=bearer(pair.json()["access_token"]))).json()
    assert (state["is_on"], state["recovery_codes_left"]) == (False, 0)
    assert "linked providers were removed" in (await newest(app, "password_changed")).text


@pytest.mark.asvs("6.5.6", "7.4.3")
async def test_a_request_of_a_thief_that_is_late_adds_no_way_in(
    app: Litestar, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was let in a moment before its session ended, and does its work after it."""
    person, evil = await people.create(), Authenticator()
    monkeypatch.setattr(core_of(app).services.get(SessionAuthenticator), "_cache_seconds", 60)
    ended = update(Session).where(Session.id == person.session_id).values(revoked_at=utc_now())
    async with people.client(person) as theirs:
        options = (await theirs.post(NEW_OPTIONS)).json()
        async with core_of(app).database.independent() as unit:
            await unit.session.execute(ended)
        answers = [
            await theirs.post(PASSKEYS, json={"credential": evil.create(options), "name": "Late"}),
            await theirs.post(f"{MFA}/totp"),
            await theirs.post(f"{ME}/api-keys", json={"name": "Late", "scopes": []}),
        ]

    assert [(each.status_code, each.json()["detail"][:20]) for each in answers] == [(401, "The session has ende")] * 3
