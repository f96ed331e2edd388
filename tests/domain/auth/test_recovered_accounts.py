"""Who gets an account back that was in other hands shares it with no one."""

from typing import Any

import httpx
import pytest
from litestar import Litestar
from pyotp.totp import TOTP

from app.lib.clock import utc_now
from tests.domain.auth.factors import MFA, enroll
from tests.domain.auth.passkeys import enrol, sign_in
from tests.domain.auth.steps import CHANGE, FORGOT, MY_EMAIL, OTHER_PASSWORD, RESEND, RESET, REVERT, VERIFY, audited
from tests.domain.auth.steps import sign_in as sign_in_by_password
from tests.support.apps import client_of
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
    await post(app, FORGOT if by_reset else RESEND, email="ada@example.com")
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
    await post(app, RESEND, email="ada@example.com")
    await post(app, VERIFY, token=(await newest(app, "verify_email")).token, password=PASSWORD)
    await post(app, FORGOT, email="ada@example.com")
    await post(app, RESET, token=(await newest(app, "reset_password")).token, password=OTHER_PASSWORD)

    refused = await sign_in_by_password(client, "ada@example.com", OTHER_PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (403, "mfa_required")
    assert (await sign_in(client, phone)).status_code == 200


@pytest.mark.asvs("6.5.6")
async def test_an_address_that_is_taken_back_takes_the_factors_of_the_thief(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create(email="ada@example.com", is_verified=True)
    hers, evil = Authenticator(), Authenticator()
    async with people.client(person) as mine:
        assert (await enrol(mine, hers)).status_code == 201
        assert (await mine.post(MY_EMAIL, json={"email": "thief@example.com"})).status_code == 202
        await post(app, CHANGE, token=(await newest(app, "change_email")).token)
        assert (await enrol(mine, evil)).status_code == 201
    await post(app, REVERT, token=(await newest(app, "revert_email")).token, password=OTHER_PASSWORD)

    assert [(await sign_in(client, each)).status_code for each in (hers, evil)] == [200, 401]


@pytest.mark.asvs("6.4.4")
async def test_an_app_that_a_thief_began_to_add_before_the_change_goes_too(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    """It is a factor from when a code confirms it."""
    person = await people.create(email="ada@example.com", is_verified=True)
    async with people.client(person) as theirs:
        secret = (await theirs.post(f"{MFA}/totp")).json()["secret"]
        assert (await theirs.post(MY_EMAIL, json={"email": "thief@example.com"})).status_code == 202
        await post(app, CHANGE, token=(await newest(app, "change_email")).token)
        code = TOTP(secret).at(utc_now())
        assert (await theirs.post(f"{MFA}/totp/confirm", json={"code": code})).status_code == 200
    await post(app, REVERT, token=(await newest(app, "revert_email")).token, password=OTHER_PASSWORD)

    assert (await sign_in_by_password(client, "ada@example.com", OTHER_PASSWORD)).status_code == 200
