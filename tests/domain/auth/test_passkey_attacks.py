"""What must not count as the use of a passkey, or as a new one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import time_machine
from litestar import Litestar
from sqlalchemy import delete

from app.domain.auth.models import Passkey
from app.domain.auth.services.passkey_use import user_handle
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from tests.domain.accounts.answers import is_refused
from tests.domain.auth.passkeys import LOGIN, NEW_OPTIONS, OPTIONS, PASSKEYS, enrol, sign_in
from tests.domain.auth.steps import audited, change_user, fields, warm
from tests.support.apps import Deployment, client_of, core_of
from tests.support.authenticators import (
    BACKED_UP,
    PRESENT,
    VERIFIED,
    Authenticator,
    to_text,
)
from tests.support.counting import counted_statements
from tests.support.people import People
from tests.support.waiting import until


@pytest_asyncio.fixture
async def mine(people: People) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a person who has signed in a moment ago."""
    async with people.client(await people.create()) as client:
        yield client


@pytest_asyncio.fixture
async def authenticator(mine: httpx.AsyncClient) -> Authenticator:
    """With a passkey of that person."""
    made = Authenticator()
    assert (await enrol(mine, made)).status_code == 201
    return made


FORGERIES: dict[str, dict[str, Any]] = {
    "another origin": {"client_data": {"origin": "https://localhost.example"}},
    "another port": {"client_data": {"origin": "http://localhost:8001"}},
    "a frame of another site": {"client_data": {"crossOrigin": True}},
    "the other ceremony": {"client_data": {"type": "webauthn.payment"}},
    "another relying party": {"rp_id": "example.com"},
    "no one present": {"no_flags": PRESENT},
    "backed up, and cannot be": {"more_flags": BACKED_UP},
}


@pytest.mark.asvs("6.3.3")
async def test_forged_ceremonies_make_and_use_no_passkey(
    app: Litestar, client: httpx.AsyncClient, mine: httpx.AsyncClient, authenticator: Authenticator
) -> None:
    for name, forged in FORGERIES.items():
        used, made = await sign_in(client, authenticator, **forged), await enrol(mine, Authenticator(), **forged)
        assert (used.status_code, used.json()["code"]) == (401, "invalid_credentials"), name
        assert used.headers["www-authenticate"] == "Bearer"
        assert (made.status_code, fields(made)) == (422, {"/credential": "invalid_choice"}), name

    refusals = await audited(app, "sign_in.failed")
    assert [each.details for each in refusals] == [{"way": "passkey"}] * len(FORGERIES)
    assert (await sign_in(client, authenticator)).status_code == 200
    assert (await mine.get(PASSKEYS)).json()["total"] == 1


@pytest.mark.asvs("6.7.2")
async def test_a_challenge_is_good_once_for_five_minutes_and_one_purpose(
    app: Litestar, client: httpx.AsyncClient, people: People, mine: httpx.AsyncClient, authenticator: Authenticator
) -> None:
    options = (await client.post(OPTIONS)).json()
    credential = {"credential": authenticator.get(options)}
    uses = [(await client.post(LOGIN, json=credential)).status_code for _ in range(2)]

    for_new = (await mine.post(NEW_OPTIONS)).json()
    of_enrolment = authenticator.get({**options, "challenge": for_new["challenge"]})
    of_sign_in = Authenticator().create({**for_new, "challenge": options["challenge"]})
    swapped = [
        await client.post(LOGIN, json={"credential": of_enrolment}),
        await mine.post(PASSKEYS, json={"credential": of_sign_in}),
    ]
    async with people.client(await people.create()) as theirs:
        swapped.append(await theirs.post(PASSKEYS, json={"credential": Authenticator().create(for_new)}))

    own = authenticator.get({**options, "challenge": to_text(b"c" * 64)})
    late = authenticator.get((await client.post(OPTIONS)).json())
    made_up = await client.post(LOGIN, json={"credential": own})
    new = Authenticator().create(for_new)
    with time_machine.travel(utc_now() + timedelta(minutes=5, seconds=1), tick=False):
        expired = await client.post(LOGIN, json={"credential": late})
    created = [await mine.post(PASSKEYS, json={"credential": new, "name": name}) for name in ("One", "Two")]

    assert uses == [200, 401]
    assert [each.status_code for each in swapped] == [401, 422, 422]
    assert (made_up.status_code, expired.status_code) == (401, 401)
    assert [each.status_code for each in created] == [201, 422]
    assert fields(created[1]) == {"/credential": "invalid_choice"}


@pytest.mark.asvs("6.7.2")
async def test_of_many_uses_of_one_answer_one_wins(
    app: Litestar, client: httpx.AsyncClient, people: People, authenticator: Authenticator
) -> None:
    await warm(app)
    credential = {"credential": authenticator.get((await client.post(OPTIONS)).json())}
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client_of(app, address=f"198.51.100.{n}")) for n in range(50)]
        answers = await asyncio.gather(*(each.post(LOGIN, json=credential) for each in clients))

    assert sorted(each.status_code for each in answers) == [200] + [401] * 49
    assert await audited(app, "passkey.cloned") == []


async def test_a_copied_authenticator_is_refused_and_audited(
    app: Litestar, client: httpx.AsyncClient, people: People, mine: httpx.AsyncClient
) -> None:
    """Its counter goes back. One that has no counter is always at zero."""
    counting, plain = Authenticator(), Authenticator(counts=False)
    for each in (counting, plain):
        assert (await enrol(mine, each)).status_code == 201
    statuses = [(await sign_in(client, counting, count=count)).status_code for count in (7, 7, 3, 0, 8)]
    without = [(await sign_in(client, plain)).status_code for _ in range(2)]
    found = (await mine.get(PASSKEYS)).json()["items"][1]

    assert statuses == [200, 401, 401, 401, 200]
    assert without == [200, 200]
    cloned = await audited(app, "passkey.cloned")
    assert [each.details["passkey_id"] for each in cloned] == [found["id"]] * 3
    assert {each.subject_id for each in cloned} == {(await audited(app, "sign_in.ok"))[0].subject_id}


async def test_a_passkey_that_is_deleted_while_it_is_used_is_no_copy(
    app: Litestar, client: httpx.AsyncClient, authenticator: Authenticator
) -> None:
    credential = {"credential": authenticator.get((await client.post(OPTIONS)).json())}
    with counted_statements(app) as statements:
        async with core_of(app).database.independent() as other:
            await other.session.execute(delete(Passkey))
            attempt = asyncio.create_task(client.post(LOGIN, json=credential))
            await until(lambda: any("FROM passkeys" in each for each in statements))

    assert is_refused(await attempt, 401, "invalid_credentials")
    assert await audited(app, "passkey.cloned") == []
    assert len(await audited(app, "sign_in.failed")) == 1


@pytest.mark.asvs("6.3.8")
async def test_a_passkey_counts_for_its_own_user_alone(
    app: Litestar, client: httpx.AsyncClient, people: People, mine: httpx.AsyncClient, authenticator: Authenticator
) -> None:
    """An unknown one, a wrong signature, the user handle of another, none, or a user who was not verified: one 401."""
    stranger = Authenticator(-8)
    stranger.create((await mine.post(NEW_OPTIONS)).json())
    options = [(await client.post(OPTIONS)).json() for _ in range(6)]
    with_another_key = authenticator.get(options[1])
    with_another_key["response"]["signature"] = stranger.get(options[1])["response"]["signature"]
    without_handle, of_another = authenticator.get(options[2]), authenticator.get(options[3])
    del without_handle["response"]["userHandle"]
    of_another["response"]["userHandle"] = to_text(user_handle(new_id()))
    answers = [stranger.get(options[0]), with_another_key, without_handle, of_another]
    answers.append(authenticator.get(options[4], no_flags=VERIFIED))
    refused = [await client.post(LOGIN, json={"credential": each}) for each in answers]

    assert [each.status_code for each in refused] == [401] * 5
    assert len({each.json()["detail"] for each in refused}) == 1
    assert (await client.post(LOGIN, json={"credential": authenticator.get(options[5])})).status_code == 200


async def test_a_credential_belongs_to_who_registered_it_first(
    people: People, mine: httpx.AsyncClient, authenticator: Authenticator
) -> None:
    taken = authenticator.credentials[0].id
    async with people.client(await people.create()) as theirs:
        answers = [await enrol(each, Authenticator(), credential_id=taken) for each in (theirs, mine)]
        assert (await theirs.get(PASSKEYS)).json()["items"] == []

    assert [(each.status_code, each.json()["code"]) for each in answers] == [(409, "duplicate")] * 2


@pytest.mark.asvs("6.3.4")
async def test_who_is_not_active_or_not_confirmed_does_not_get_in(deployment: Deployment) -> None:
    app = await deployment.start(REQUIRE_VERIFIED_EMAIL="true")
    people, authenticator = People(app), Authenticator()
    person = await people.create(is_verified=True)
    async with people.client(person) as mine, client_of(app) as client:
        assert (await enrol(mine, authenticator)).status_code == 201
        answers = [await sign_in(client, authenticator)]
        await change_user(app, person.id, is_verified=False)
        answers.append(await sign_in(client, authenticator))
        await change_user(app, person.id, is_verified=True, is_active=False)
        answers += [await sign_in(client, authenticator, rp_id="example.com"), await sign_in(client, authenticator)]

    codes = [each.json().get("code") for each in answers]
    assert codes == [None, "invalid_credentials", "invalid_credentials", "account_inactive"]
    assert answers[1].json()["detail"] == answers[2].json()["detail"]
    assert [each.kind for each in await audited(app, "sign_in.inactive")] == ["sign_in.inactive"]
