"""People with a second factor."""

from dataclasses import dataclass
from typing import Any

import httpx
from litestar import Litestar
from pyotp.totp import TOTP

from app.lib.clock import utc_now
from tests.domain.auth.steps import sign_in
from tests.support.apps import client_of
from tests.support.people import People, Person

MFA = "/api/v1/users/me/mfa"
LOGIN_MFA = "/api/v1/auth/login/mfa"
WRONG_CODE = {"/code": "invalid_choice"}
DEAD_TOKEN = {"/mfa_token": "invalid_choice"}


@dataclass
class Enrolled:
    """A person with an app that makes codes."""

    person: Person
    secret: str
    recovery_codes: list[str]

    def code(self, steps: int = 0) -> str:
        """Of now, or of this number of steps of 30 seconds later."""
        return TOTP(self.secret).at(utc_now(), counter_offset=steps)


async def enroll(client: httpx.AsyncClient, person: Person, step: int = -1) -> Enrolled:
    """Over HTTP, with the code of the step before, so that the present one is still good."""
    secret = (await client.post(f"{MFA}/totp", headers=person.headers)).json()["secret"]
    enrolled = Enrolled(person, secret, [])
    confirmed = await client.post(f"{MFA}/totp/confirm", json={"code": enrolled.code(step)}, headers=person.headers)
    assert confirmed.status_code == 200, confirmed.text
    enrolled.recovery_codes = confirmed.json()["recovery_codes"]
    return enrolled


async def enrolled(app: Litestar, people: People, **values: Any) -> Enrolled:
    async with client_of(app) as client:
        return await enroll(client, await people.create(**values))


async def mfa_token(client: httpx.AsyncClient, person: Person, **options: Any) -> str:
    """The first step of a sign-in."""
    refused = await sign_in(client, person.email, **options)
    assert (refused.status_code, refused.json()["code"]) == (403, "mfa_required"), refused.text
    token: str = refused.json()["mfa_token"]
    return token


async def second_step(client: httpx.AsyncClient, token: str, code: str) -> httpx.Response:
    return await client.post(LOGIN_MFA, json={"mfa_token": token, "code": code})
