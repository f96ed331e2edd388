"""Passkeys where the password was given: the second step of a sign-in, and sensitive acts."""

from datetime import timedelta

import httpx
import pytest
from litestar import Litestar

from app.lib.clock import utc_now
from tests.domain.auth import steps
from tests.domain.auth.passkeys import LOGIN, OPTIONS, PASSKEYS, enrol, sign_in
from tests.domain.auth.steps import ME, audited, fields, whoami
from tests.support.apps import client_of
from tests.support.authenticators import Authenticator
from tests.support.links import received
from tests.support.people import PASSWORD, People

STEP_OPTIONS, STEP = "/api/v1/auth/login/mfa/passkey-options", "/api/v1/auth/login/mfa/passkey"
AGAIN_OPTIONS, AGAIN = "/api/v1/auth/reauthenticate/passkey-options", "/api/v1/auth/reauthenticate/passkey"


async def second_step(client: httpx.AsyncClient, token: str, authenticator: Authenticator) -> httpx.Response:
    options = (await client.post(STEP_OPTIONS, json={"mfa_token": token})).json()
    return await client.post(STEP, json={"mfa_token": token, "credential": authenticator.get(options)})


async def first_step(client: httpx.AsyncClient, email: str) -> str:
    """The token for the second."""
    answer = await steps.sign_in(client, email)
    assert (answer.status_code, answer.json()["code"]) == (403, "mfa_required")
    return str(answer.json()["mfa_token"])


@pytest.mark.parametrize("verifies", [True, False])
@pytest.mark.asvs("6.3.3")
async def test_a_passkey_is_the_second_factor(
    app: Litestar, client: httpx.AsyncClient, people: People, verifies: bool
) -> None:
    """Also one that cannot ask for a PIN, which does not sign in without the password."""
    person, authenticator = await people.create(), Authenticator(verifies=verifies)
    async with people.client(person) as mine:
        passkey = (await enrol(mine, authenticator)).json()
    token = await first_step(client, person.email)
    pair = await second_step(client, token, authenticator)
    again = await client.post(STEP_OPTIONS, json={"mfa_token": token})
    alone = await sign_in(client, authenticator)

    assert passkey["verifies_user"] is verifies
    assert pair.status_code == 200, pair.text
    assert (await whoami(client, pair.json()["access_token"])).json()["id"] == str(person.id)
    assert (await audited(app, "sign_in.ok"))[0].details["way"] == "password+passkey"
    assert fields(again) == {"/mfa_token": "invalid_choice"}
    assert alone.status_code == (200 if verifies else 401)


@pytest.mark.asvs("6.3.1", "6.7.2")
async def test_the_second_step_takes_the_passkeys_of_its_user_five_times(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    ada, eve = await people.create(), await people.create()
    hers, evil = Authenticator(), Authenticator()
    for person, each in ((ada, hers), (eve, evil)):
        async with people.client(person) as mine:
            assert (await enrol(mine, each)).status_code == 201
    token, other = await first_step(client, ada.email), await first_step(client, ada.email)
    options = (await client.post(STEP_OPTIONS, json={"mfa_token": token})).json()
    for_another = (await client.post(STEP_OPTIONS, json={"mfa_token": other})).json()
    of_sign_in = (await client.post(OPTIONS)).json()

    tries = [evil.get({**options, "allowCredentials": []}), hers.get(for_another), hers.get(of_sign_in)]
    tries += [hers.get(options, rp_id="example.com"), hers.get(options, client_data={"origin": "https://evil.example"})]
    answers = [await client.post(STEP, json={"mfa_token": token, "credential": each}) for each in tries]
    late = await client.post(STEP, json={"mfa_token": token, "credential": hers.get(options)})
    as_eve = await client.post(LOGIN, json={"credential": hers.get(options)})

    assert [fields(each) for each in answers] == [{"/credential": "invalid_choice"}] * 5
    assert fields(late) == {"/mfa_token": "invalid_choice"}
    assert as_eve.status_code == 401
    refusals = await audited(app, "mfa.refused")
    assert [(each.subject_id, each.details["way"]) for each in refusals] == [(ada.id, "passkey")] * 5
    assert (await second_step(client, other, hers)).status_code == 200


@pytest.mark.asvs("6.3.7", "6.5.6", "7.4.3")
async def test_changes_end_the_other_sessions_and_are_mailed(app: Litestar, people: People) -> None:
    person = await people.create(locale="de")
    other = await people.sign_in(person.id, person.email)
    async with people.client(person) as mine, people.client(other) as elsewhere, client_of(app) as client:
        first = (await enrol(mine, Authenticator(), name="One")).json()
        ended = await elsewhere.get(ME)
        second = (await enrol(mine, Authenticator(), name="Two")).json()
        deleted = [await mine.delete(f"{PASSKEYS}/{each['id']}") for each in (first, second)]
        alone = await steps.sign_in(client, person.email)
        assert (await mine.get(ME)).status_code == 200

    assert (len(first["recovery_codes"]), second["recovery_codes"]) == (10, [])
    assert ended.status_code == 401
    assert [each.status_code for each in deleted] == [204, 204]
    assert alone.status_code == 200
    kinds = ["mfa.passkey_added", "mfa.passkey_removed"]
    assert [len(await audited(app, kind)) for kind in kinds] == [2, 2]
    mails = [each.text for each in await received(app, "second_factor_changed")]
    added, removed = "jetzt einen weiteren Passkey", "ein Passkey deines Kontos"
    assert [(added in each, removed in each) for each in mails] == [(True, False)] * 2 + [(False, True)] * 2


@pytest.mark.asvs("7.5.1", "7.5.3")
async def test_a_passkey_opens_the_time_for_sensitive_acts(client: httpx.AsyncClient, people: People) -> None:
    person, phone, key = await people.create(), Authenticator(), Authenticator(verifies=False)
    async with people.client(person) as mine:
        passkeys = [(await enrol(mine, each)).json() for each in (phone, key)]
    earlier = await people.sign_in(person.id, person.email, at=utc_now() - timedelta(hours=1))
    also = await people.sign_in(person.id, person.email, at=utc_now() - timedelta(hours=1))
    url = f"{PASSKEYS}/{passkeys[0]['id']}"
    async with people.client(earlier) as mine, people.client(also) as elsewhere:
        locked = await mine.delete(url)
        options = (await mine.post(AGAIN_OPTIONS)).json()
        foreign = await elsewhere.post(AGAIN, json={"credential": phone.get(options)})
        present = await mine.post(AGAIN, json={"credential": key.get(options)})
        wrong = await mine.post(AGAIN, json={"credential": key.get(options), "password": "not the password"})
        both = await mine.post(AGAIN, json={"credential": key.get(options), "password": PASSWORD})
        options = (await elsewhere.post(AGAIN_OPTIONS)).json()
        alone = await elsewhere.post(AGAIN, json={"credential": phone.get(options)})
        deleted = await mine.delete(url)

    assert locked.json()["code"] == "reauth_required"
    assert fields(foreign) == fields(present) == {"/credential": "invalid_choice"}
    assert (wrong.status_code, fields(wrong)) == (403, {"/password": "invalid_choice"})
    assert (both.status_code, both.json()["current"], alone.status_code) == (200, True, 200)
    assert deleted.status_code == 204


@pytest.mark.asvs("6.5.6")
async def test_an_administrator_removes_passkeys_that_are_lost(client: httpx.AsyncClient, people: People) -> None:
    person, boss = await people.create(), await people.create(permissions=["users:write"])
    authenticator = Authenticator()
    async with people.client(person) as mine, people.client(boss) as administrator:
        assert (await enrol(mine, authenticator)).status_code == 201
        assert (await administrator.delete(f"/api/v1/users/{person.id}/mfa")).status_code == 204

    assert (await sign_in(client, authenticator)).status_code == 401
    assert (await steps.sign_in(client, person.email)).status_code == 200


async def test_who_has_no_passkey_is_not_asked_for_one(client: httpx.AsyncClient, people: People) -> None:
    async with people.client(await people.create()) as mine:
        answer = await mine.post(AGAIN_OPTIONS)
    unknown = await client.post(STEP_OPTIONS, json={"mfa_token": "A" * 43})

    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert fields(unknown) == {"/mfa_token": "invalid_choice"}
