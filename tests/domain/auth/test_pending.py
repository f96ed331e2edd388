"""What was begun and waits: it ends with the sessions, and no one pushes out another's."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from litestar import Litestar

from app.domain.auth.models import MfaToken
from tests.domain.accounts.answers import rows
from tests.domain.auth.factors import DEAD_TOKEN, Enrolled, enrolled, mfa_token, second_step
from tests.domain.auth.passkeys import NEW_OPTIONS, PASSKEYS
from tests.domain.auth.steps import (
    CHANGE,
    FORGOT,
    ME,
    MY_EMAIL,
    OTHER_PASSWORD,
    RESET,
    STRANGER,
    WRONG_LINK,
    fields,
    sign_in_from,
)
from tests.support.apps import client_of
from tests.support.authenticators import Authenticator
from tests.support.links import newest, received
from tests.support.people import People, Person

Act = Callable[[Litestar, People, Person], Awaitable[Any]]


async def log_out_everywhere(app: Litestar, people: People, person: Person) -> None:
    async with people.client(person) as client:
        assert (await client.post("/api/v1/auth/logout-all")).status_code == 204


async def change_password(app: Litestar, people: People, person: Person) -> None:
    async with people.client(person) as client:
        body = {"current_password": person.password, "new_password": OTHER_PASSWORD}
        assert (await client.post(f"{ME}/password", json=body)).status_code == 200


async def reset(app: Litestar, people: People, person: Person) -> None:
    async with client_of(app) as client:
        await client.post(FORGOT, json={"email": person.email})
        body = {"token": (await newest(app, "reset_password")).token, "password": OTHER_PASSWORD}
        assert (await client.post(RESET, json=body)).status_code == 204


async def ban(app: Litestar, people: People, person: Person) -> None:
    """For a while."""
    async with people.client(await people.create(is_superuser=True)) as client:
        for act in ("deactivate", "activate"):
            assert (await client.post(f"/api/v1/users/{person.id}/{act}")).status_code == 200


@pytest.mark.asvs("7.4.1", "7.4.3", "7.4.2")
@pytest.mark.parametrize("end", [log_out_everywhere, change_password, reset, ban])
async def test_what_a_thief_has_begun_ends_with_the_sessions(
    app: Litestar, client: httpx.AsyncClient, people: People, end: Act
) -> None:
    """A change of the address, one that is not mailed yet, the second step of a sign-in, and a passkey."""
    ada: Enrolled = await enrolled(app, people, is_verified=True)
    async with people.client(ada.person) as thief:
        assert (await thief.post(MY_EMAIL, json={"email": "thief@example.com"})).status_code == 202
        link = await newest(app, "change_email")
        assert (await thief.post(MY_EMAIL, json={"email": "late@example.com"})).status_code == 202
        token, options = await mfa_token(client, ada.person), (await thief.post(NEW_OPTIONS)).json()

    await end(app, people, ada.person)

    mails = await received(app, "change_email")
    assert link in mails
    assert len(mails) == 1 or end is reset, "whose own mail was late as well"
    for mail in mails:
        assert fields(await client.post(CHANGE, json={"token": mail.token})) == WRONG_LINK
    assert fields(await second_step(client, token, ada.code())) == DEAD_TOKEN
    again = await people.sign_in(ada.person.id, ada.person.email)
    async with people.client(again) as thief:
        passkey = {"credential": Authenticator().create(options), "name": "Late"}
        assert fields(await thief.post(PASSKEYS, json=passkey)) == {"/credential": "invalid_choice"}


@pytest.mark.asvs("6.3.1")
async def test_who_knows_the_password_does_not_push_out_the_owners_sign_in(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    ada = await enrolled(app, people)
    token = await mfa_token(client, ada.person)
    for number in range(7):
        answer = await sign_in_from(app, f"{STRANGER.rpartition('.')[0]}.{number}", ada.person.email)
        assert answer.json()["code"] == "mfa_required"

    assert len(await rows(app, MfaToken)) == 6
    assert (await second_step(client, token, ada.code())).status_code == 200
