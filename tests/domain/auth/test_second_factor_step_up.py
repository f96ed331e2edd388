"""Sensitive acts of users with a second factor."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from litestar import Litestar

from app.lib.clock import utc_now
from tests.domain.auth.factors import MFA, WRONG_CODE, enrolled, mfa_token, second_step
from tests.domain.auth.steps import STRANGER, audited, fields
from tests.support.apps import client_of
from tests.support.people import PASSWORD, People

pytestmark = pytest.mark.usefixtures("clock")
AGAIN = "/api/v1/auth/reauthenticate"


@pytest.mark.asvs("7.5.1", "7.5.3", "6.6.2")
async def test_the_password_alone_is_no_step_up(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    """Else a stolen session and a known password would turn the second factor off."""
    someone = await enrolled(app, people)
    old = await people.sign_in(someone.person.id, someone.person.email, at=utc_now() - timedelta(hours=1))

    async def step_up(**members: str) -> httpx.Response:
        return await client.post(AGAIN, json={"password": PASSWORD, **members}, headers=old.headers)

    missing, wrong = await step_up(), await step_up(code="000000")
    assert (missing.status_code, missing.json()["code"]) == (403, "mfa_required")
    assert "mfa_token" not in missing.json()
    assert (wrong.status_code, fields(wrong)) == (422, WRONG_CODE)
    assert (await step_up(password="a wrong one")).json()["code"] == "invalid_credentials"
    assert (await step_up(password="a wrong one", code=someone.code())).status_code == 403
    assert (await client.delete(f"{MFA}/totp", headers=old.headers)).json()["code"] == "reauth_required"
    change = {"current_password": PASSWORD, "new_password": "another fine day"}
    refused = await client.post("/api/v1/users/me/password", json=change, headers=old.headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "reauth_required")

    assert (await step_up(code=someone.code())).status_code == 200
    assert (await step_up(code=someone.code())).status_code == 422, "it was used"
    assert (await step_up(code=someone.recovery_codes[0])).status_code == 200
    assert (await client.delete(f"{MFA}/totp", headers=old.headers)).status_code == 204
    assert (await step_up()).status_code == 200


@pytest.mark.asvs("6.6.3")
async def test_codes_at_a_step_up_count_like_those_at_sign_in(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    someone = await enrolled(app, people)

    statuses = []
    for _ in range(6):
        body = {"password": PASSWORD, "code": "000000"}
        statuses.append((await client.post(AGAIN, json=body, headers=someone.person.headers)).status_code)

    assert statuses == [422] * 5 + [429]


@pytest.mark.asvs("6.3.1", "6.3.5")
async def test_strangers_guesses_keep_no_owner_from_a_step_up(app: Litestar, people: People) -> None:
    """Who has a session of theirs elsewhere gets no more tries by it."""
    someone = await enrolled(app, people)
    for number in range(2):
        async with client_of(app, address=f"198.51.{number}.9") as client:
            for _ in range(5):
                token = await mfa_token(client, someone.person)
                assert (await second_step(client, token, "000000")).status_code == 422

    body = {"password": PASSWORD, "code": someone.code()}
    statuses = []
    for where in ({"address": STRANGER}, {}):
        async with client_of(app, **where) as client:
            statuses.append((await client.post(AGAIN, json=body, headers=someone.person.headers)).status_code)

    assert statuses == [429, 200]


@pytest.mark.asvs("6.5.1", "2.3.4", "16.3.1")
async def test_a_code_that_is_used_at_once_in_a_session_counts_and_is_recorded(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    someone = await enrolled(app, people)
    body = {"password": PASSWORD, "code": someone.code()}

    attempts = (client.post(AGAIN, json=body, headers=someone.person.headers) for _ in range(4))
    statuses = sorted([each.status_code for each in await asyncio.gather(*attempts)])

    assert statuses == [200, 422, 422, 422]
    assert len(await audited(app, "mfa.refused")) == 3
