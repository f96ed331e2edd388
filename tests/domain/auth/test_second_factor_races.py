"""Many requests about a second factor at the same time."""

import asyncio

import httpx
import pytest
import time_machine
from litestar import Litestar
from sqlalchemy import func, select

from app.domain.auth.models import MfaToken
from tests.domain.auth.factors import MFA, Enrolled, enrolled, mfa_token, second_step
from tests.domain.auth.steps import sessions_of, sign_in
from tests.support.apps import client_of, core_of
from tests.support.people import PASSWORD, People

pytestmark = pytest.mark.usefixtures("clock")


@pytest.mark.asvs("15.4.2", "7.4.3", "6.3.4")
async def test_no_sign_in_slips_in_while_a_factor_is_confirmed(app: Litestar, client: httpx.AsyncClient) -> None:
    """Each was either asked for the factor, or its session was ended by the confirmation."""
    people = People(app)
    person = await people.create()
    secret = (await client.post(f"{MFA}/totp", headers=person.headers)).json()["secret"]
    code = Enrolled(person, secret, []).code()

    async def confirm() -> httpx.Response:
        return await client.post(f"{MFA}/totp/confirm", json={"code": code}, headers=person.headers)

    attempts = [sign_in(client, person.email) for _ in range(8)]
    answers = await asyncio.gather(*attempts[:4], confirm(), *attempts[4:], confirm())

    confirmed = [each for each in answers if "recovery_codes" in each.text]
    signed_in = [each for each in answers if "access_token" in each.text]
    assert len(confirmed) == 1
    assert {each.status_code for each in answers} - {200} <= {403, 404, 422}
    assert [row.id for row in await sessions_of(app, person.id) if row.revoked_at is None] == [person.session_id]
    for each in signed_in:
        headers = {"Authorization": f"Bearer {each.json()['access_token']}"}
        assert (await client.get(MFA, headers=headers)).status_code == 401


@pytest.mark.asvs("6.5.1", "15.4.2")
async def test_one_code_confirms_one_of_many_step_ups(app: Litestar, client: httpx.AsyncClient) -> None:
    people = People(app)
    someone = await enrolled(app, people)
    sessions = [await people.sign_in(someone.person.id, someone.person.email) for _ in range(4)]
    body = {"password": PASSWORD, "code": someone.code()}

    answers = await asyncio.gather(
        *(client.post("/api/v1/auth/reauthenticate", json=body, headers=each.headers) for each in sessions)
    )

    assert sorted(each.status_code for each in answers) == [200, 422, 422, 422]


@pytest.mark.asvs("2.4.1")
async def test_five_sign_ins_of_a_user_from_a_network_wait_at_most(
    app: Litestar, people: People, clock: time_machine.Traveller
) -> None:
    """The newest ones."""
    someone = await enrolled(app, people)
    async with client_of(app) as client:
        tokens: list[str] = []
        for _ in range(7):
            tokens.append(await mfa_token(client, someone.person))
            clock.shift(1)
        answers = [await second_step(client, tokens[number], someone.code()) for number in (0, -1)]

    async with core_of(app).database.independent() as unit:
        kept = (await unit.session.execute(select(func.count()).select_from(MfaToken))).scalar_one()
    assert kept == 4
    assert [each.status_code for each in answers] == [422, 200]
