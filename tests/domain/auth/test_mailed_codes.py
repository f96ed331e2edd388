"""Users who have no password confirm who they are by a code that is mailed to them."""

from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from app.lib.clock import utc_now
from app.lib.security.passwords import no_password
from tests.domain.auth.factors import enroll
from tests.domain.auth.steps import fields
from tests.support.links import newest, received
from tests.support.people import People, Person

REAUTHENTICATE = "/api/v1/auth/reauthenticate"
SEND, KEYS = f"{REAUTHENTICATE}/send-code", "/api/v1/users/me/api-keys"
WRONG = {"/mailed_code": "invalid_choice"}


@pytest_asyncio.fixture
async def ada(people: People) -> Person:
    """She came by a provider such as GitHub, a while ago."""
    long_ago = utc_now() - timedelta(minutes=11)
    return await people.create(is_verified=True, password_hash=no_password(), signed_in_at=long_ago)


async def confirm(client: httpx.AsyncClient, person: Person, **body: str) -> httpx.Response:
    return await client.post(REAUTHENTICATE, json=body, headers=person.headers)


async def can_act(client: httpx.AsyncClient, person: Person) -> bool:
    response = await client.post(KEYS, json={"name": "Nightly", "scopes": []}, headers=person.headers)
    return response.status_code == 201


@pytest.mark.asvs("7.5.1", "7.5.3", "6.5.1")
async def test_a_mailed_code_opens_sensitive_acts_once(
    app: Litestar, client: httpx.AsyncClient, people: People, ada: Person
) -> None:
    other = await people.sign_in(ada.id, ada.email, at=utc_now() - timedelta(minutes=11))
    assert (await client.post(SEND, headers=ada.headers)).status_code == 202
    mail = await newest(app, "reauthenticate")
    wrong = "000000" if mail.code != "000000" else "111111"

    assert (mail.to, "http" in mail.text.split("--")[0]) == (ada.email, False)
    assert fields(await confirm(client, ada, mailed_code=wrong)) == WRONG
    assert fields(await confirm(client, other, mailed_code=mail.code)) == WRONG, "of another session"
    body = {"email": ada.email, "code": mail.code, "password": "a stranger sets it"}
    assert fields(await client.post("/api/v1/auth/verify-email", json=body)) == {"/code": "invalid_choice"}
    assert not await can_act(client, ada)
    assert (await confirm(client, ada, mailed_code=mail.code)).json()["current"] is True
    assert await can_act(client, ada)
    assert not await can_act(client, other)
    assert fields(await confirm(client, ada, mailed_code=mail.code)) == WRONG
    assert fields(await confirm(client, ada)) == {"/password": "required"}


@pytest.mark.asvs("7.5.3", "6.6.3", "7.4.1")
async def test_the_code_ends_and_guesses_at_it_are_few(
    app: Litestar, client: httpx.AsyncClient, people: People, ada: Person
) -> None:
    """Who has signed out of the session in the meantime is mailed none."""
    other = await people.sign_in(ada.id, ada.email)
    assert (await client.post(SEND, headers=other.headers)).status_code == 202
    assert (await client.post("/api/v1/auth/logout", headers=other.headers)).status_code == 204
    assert await received(app, "reauthenticate") == []
    assert (await client.post(SEND, headers=ada.headers)).status_code == 202
    code = (await newest(app, "reauthenticate")).code
    answers = [await confirm(client, ada, mailed_code=f"{(int(code) + 1 + i) % 10**6:06}") for i in range(6)]

    assert [each.status_code for each in answers] == [422] * 5 + [429]
    assert (await confirm(client, ada, mailed_code=code)).status_code == 429
    assert not await can_act(client, ada)


@pytest.mark.asvs("7.5.3", "6.3.3")
async def test_the_mailbox_stands_for_no_other_factor(
    app: Litestar, client: httpx.AsyncClient, people: People, ada: Person
) -> None:
    """Neither for a password nor for a second factor; and an address that is not confirmed may be a stranger's."""
    unconfirmed = await people.create(password_hash=no_password())
    for person in (await people.create(is_verified=True), unconfirmed):
        refused = await client.post(SEND, headers=person.headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "invalid_state")
    fresh = await people.sign_in(ada.id, ada.email)
    phone = await enroll(client, fresh)
    ada = await people.sign_in(ada.id, ada.email, at=utc_now() - timedelta(minutes=11))
    assert (await client.post(SEND, headers=ada.headers)).status_code == 202
    code = (await newest(app, "reauthenticate")).code

    refused = await confirm(client, ada, mailed_code=code)
    assert (refused.status_code, refused.json()["code"]) == (403, "mfa_required")
    assert fields(await confirm(client, ada, mailed_code=code, code="000000")) == {"/code": "invalid_choice"}
    assert not await can_act(client, ada)
    assert (await confirm(client, ada, mailed_code=code, code=phone.code())).status_code == 200
