"""Signing in with a second factor."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import time_machine
from litestar import Litestar
from sqlalchemy import update

from app.asgi import DOMAINS
from app.domain.auth.models import TotpFactor
from tests.domain.auth.factors import (
    DEAD_TOKEN,
    MFA,
    WRONG_CODE,
    enroll,
    enrolled,
    mfa_token,
    second_step,
)
from tests.domain.auth.steps import (
    LOGIN,
    STRANGER,
    audited,
    bearer,
    change_user,
    fields,
    sessions_of,
    shown,
    sign_in,
    whoami,
)
from tests.domain.notifications.steps import composed
from tests.support.apps import Deployment, client_of, core_of
from tests.support.counting import counted_statements
from tests.support.jobs import run_job
from tests.support.links import newest
from tests.support.people import PASSWORD, People

pytestmark = pytest.mark.usefixtures("clock")


@pytest.mark.asvs("6.3.3", "6.3.4", "6.6.2")
async def test_a_sign_in_takes_the_password_and_a_code(app: Litestar, people: People) -> None:
    someone = await enrolled(app, people)

    async with client_of(app) as client:
        refused = await sign_in(client, someone.person.email)
        pair = await second_step(client, refused.json()["mfa_token"], someone.code())
        assert (await whoami(client, pair.json()["access_token"])).status_code == 200

    assert set(refused.json()) == {
        "type", "title", "status", "code", "detail", "instance", "request_id", "mfa_token", "error",
        "error_description",
    }  # fmt: skip
    assert (refused.status_code, refused.json()["error"]) == (403, "mfa_required")
    assert refused.headers["cache-control"] == pair.headers["cache-control"] == "no-store"
    assert (pair.status_code, pair.json()["token_type"]) == (200, "bearer")
    (event,) = await audited(app, "sign_in.ok")
    assert event.details["way"] == "password+totp"
    (asked,) = await audited(app, "sign_in.mfa_required")
    assert (asked.subject_id, asked.details) == (someone.person.id, {"way": "password"})


async def test_the_json_of_a_sign_in_is_answered_alike(app: Litestar, people: People) -> None:
    someone = await enrolled(app, people)

    async with client_of(app) as client:
        refused = await client.post(LOGIN, json={"email": someone.person.email, "password": PASSWORD})

    assert (refused.status_code, refused.json()["code"]) == (403, "mfa_required")


@pytest.mark.asvs("6.3.8")
async def test_a_wrong_password_does_not_say_that_there_is_a_second_factor(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    someone = await enrolled(app, people)

    answers: list[object] = []
    counts: list[int] = []
    for name in (someone.person.email, "unknown@example.com"):
        with counted_statements(app) as statements:
            answers.append(shown(await sign_in(client, name, "a wrong one")))
        counts.append(len(statements))

    assert answers[0] == answers[1]
    assert "invalid_credentials" in str(answers[0])
    assert counts[0] == counts[1]


@pytest.mark.asvs("6.5.1", "6.5.5")
async def test_a_code_is_good_once_and_none_before_it(
    app: Litestar, people: People, clock: time_machine.Traveller
) -> None:
    """Not even with another token; and one of the next step makes the present one old."""
    someone = await enrolled(app, people)

    async with client_of(app) as client:
        for offset, status in ((-1, 422), (2, 422), (1, 200), (1, 422), (0, 422)):
            answer = await second_step(client, await mfa_token(client, someone.person), someone.code(offset))
            assert answer.status_code == status, offset
        clock.shift(60)
        late = await second_step(client, await mfa_token(client, someone.person), someone.code())

    assert fields(answer) == WRONG_CODE
    assert late.status_code == 200


@pytest.mark.asvs("6.5.1", "2.3.4", "15.4.2")
async def test_of_fifty_who_use_a_code_at_once_one_gets_in(app: Litestar, people: People) -> None:
    """One code with many tokens, from many addresses; and one token many times."""
    someone = await enrolled(app, people)
    async with client_of(app) as client:
        tokens = [await mfa_token(client, someone.person) for _ in range(5)]

    async def attempt(number: int) -> httpx.Response:
        async with client_of(app, address=f"198.51.100.{number}") as client:
            return await second_step(client, tokens[number % 5], someone.code())

    answers = await asyncio.gather(*(attempt(number) for number in range(50)))

    assert sorted({each.status_code for each in answers} - {200}) in ([422], [422, 429])
    assert sum(each.status_code == 200 for each in answers) == 1
    assert len(await sessions_of(app, someone.person.id)) == 2
    wrong = [each for each in answers if each.status_code == 422 and fields(each) == WRONG_CODE]
    assert len(wrong) == len(await audited(app, "mfa.refused") + await audited(app, "mfa.locked_out"))


@pytest.mark.asvs("6.5.2", "6.5.1")
async def test_of_fifty_who_use_a_recovery_code_at_once_one_gets_in(app: Litestar, people: People) -> None:
    someone = await enrolled(app, people)
    async with client_of(app) as client:
        tokens = [await mfa_token(client, someone.person) for _ in range(5)]

    async def attempt(number: int) -> httpx.Response:
        async with client_of(app, address=f"198.51.100.{number}") as client:
            return await second_step(client, tokens[number % 5], someone.recovery_codes[0])

    answers = await asyncio.gather(*(attempt(number) for number in range(50)))

    assert sum(each.status_code == 200 for each in answers) == 1
    assert len(await audited(app, "mfa.recovery_code_used")) == 1
    wrong = [each for each in answers if each.status_code == 422 and fields(each) == WRONG_CODE]
    assert len(wrong) == len(await audited(app, "mfa.refused") + await audited(app, "mfa.locked_out"))


@pytest.mark.asvs("6.6.3", "6.3.1")
async def test_a_token_is_good_for_five_tries(app: Litestar, people: People) -> None:
    someone = await enrolled(app, people)
    async with client_of(app) as client:
        token = await mfa_token(client, someone.person)

    answers: list[httpx.Response] = []
    for number in range(6):
        async with client_of(app, address=f"198.51.100.{number}") as client:
            answers.append(await second_step(client, token, "000000" if number < 5 else someone.code()))

    assert [each.status_code for each in answers] == [422] * 6
    assert [fields(each) for each in answers] == [WRONG_CODE] * 5 + [DEAD_TOKEN]
    assert len(await audited(app, "mfa.refused")) == 5


async def test_a_token_is_good_once_and_for_five_minutes(
    app: Litestar, people: People, clock: time_machine.Traveller
) -> None:
    someone = await enrolled(app, people)

    async with client_of(app) as client:
        used, late = [await mfa_token(client, someone.person) for _ in range(2)]
        assert (await second_step(client, used, someone.code())).status_code == 200
        again = await second_step(client, used, someone.code(1))
        clock.shift(301)
        expired = await second_step(client, late, someone.code())

    assert [(each.status_code, fields(each)) for each in (again, expired)] == [(422, DEAD_TOKEN)] * 2


async def test_a_token_is_good_for_nothing_else_and_nothing_else_for_it(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    someone = await enrolled(app, people)
    token = await mfa_token(client, someone.person)

    for other in (someone.person.access_token, someone.person.refresh_token, "nonsense"):
        answer = await second_step(client, other[:100], someone.code())
        assert (answer.status_code, fields(answer)) == (422, DEAD_TOKEN)
    assert (await whoami(client, token)).status_code == 401
    assert (await client.post("/api/v1/auth/refresh", json={"refresh_token": token})).status_code == 401
    reset = {"token": token, "password": "another fine day"}
    assert (await client.post("/api/v1/auth/reset-password", json=reset)).status_code == 422


async def test_the_codes_of_one_person_do_not_fit_the_token_of_another(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    ada, eve = await enrolled(app, people), await enrolled(app, people)

    token = await mfa_token(client, ada.person)
    for code in (eve.code(), eve.recovery_codes[0]):
        answer = await second_step(client, token, code)
        assert (answer.status_code, fields(answer)) == (422, WRONG_CODE)
    assert (await second_step(client, token, ada.code())).status_code == 200
    assert (await second_step(client, await mfa_token(client, eve.person), eve.recovery_codes[0])).status_code == 200


async def test_a_user_who_was_changed_between_the_steps_does_not_get_in(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    """Deactivated, deleted, or with another password."""
    ada, bob, eve = [await enrolled(app, people) for _ in range(3)]
    tokens = [await mfa_token(client, each.person) for each in (ada, bob, eve)]
    change = {"current_password": PASSWORD, "new_password": "another fine day"}
    changed = await client.post("/api/v1/users/me/password", json=change, headers=ada.person.headers)
    assert changed.status_code == 200
    await change_user(app, bob.person.id, is_active=False)
    assert (await client.delete("/api/v1/users/me", headers=eve.person.headers)).status_code == 204

    for token, someone in zip(tokens, (ada, bob, eve), strict=True):
        answer = await second_step(client, token, someone.code())
        assert (answer.status_code, fields(answer)) == (422, DEAD_TOKEN)


@pytest.mark.asvs("6.6.3", "6.3.1", "6.3.5")
async def test_other_tokens_and_addresses_give_no_more_tries(
    app: Litestar, people: People, clock: time_machine.Traveller
) -> None:
    """Ten for an account; the owner still gets in from where they are signed in, and is mailed, once a day."""
    someone = await enrolled(app, people, locale="de")

    statuses: list[int] = []
    for number in range(3):
        async with client_of(app, address=f"198.51.{number}.9") as client:
            for _ in range(6 if number < 2 else 1):
                token = await mfa_token(client, someone.person)
                statuses.append((await second_step(client, token, "000000")).status_code)
    async with client_of(app, address=STRANGER) as client:
        right = await second_step(client, await mfa_token(client, someone.person), someone.code())
    async with client_of(app) as client:
        at_home = await second_step(client, await mfa_token(client, someone.person), someone.code())

    assert statuses == [422] * 5 + [429] + [422] * 5 + [429, 429]
    assert (right.status_code, right.json()["code"]) == (429, "rate_limited")
    assert 0 < int(right.headers["retry-after"]) <= 3 * 3600
    assert at_home.status_code == 200
    (mail,) = await composed(app, "second_factor_refused")
    assert (mail.subject, mail.to.address) == ("Viele falsche Codes für dein Konto", someone.person.email)
    assert len(await audited(app, "mfa.locked_out")) == 2
    clock.shift(timedelta(hours=3, seconds=1))
    async with client_of(app, address=STRANGER) as client:
        assert (await second_step(client, await mfa_token(client, someone.person), someone.code())).status_code == 200


@pytest.mark.asvs("6.5.2", "6.3.7", "6.5.1")
async def test_a_recovery_code_is_good_once_in_any_spelling_and_is_mailed(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    someone = await enrolled(app, people)
    code = someone.recovery_codes[0]

    spelled = code.upper().replace("-", " ")
    answers = [await second_step(client, await mfa_token(client, someone.person), each) for each in (spelled, code)]

    assert [each.status_code for each in answers] == [200, 422]
    assert fields(answers[1]) == WRONG_CODE
    used = [mail for mail in await composed(app, "second_factor_changed") if mail.subject == "A recovery code was used"]
    assert len(used) == 1
    assert "Codes left: 9." in used[0].text
    (event,) = await audited(app, "mfa.recovery_code_used")
    assert (event.subject_id, event.details) == (someone.person.id, {"recovery_codes_left": 9})
    state = (await client.get(MFA, headers=bearer(answers[0].json()["access_token"]))).json()
    assert state["recovery_codes_left"] == 9


async def test_a_password_reset_leaves_the_second_factor_on(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create(email="ada@example.com", is_verified=True)
    await enroll(client, person)
    await client.post("/api/v1/auth/forgot-password", json={"email": person.email})
    link = await newest(app, "reset_password")
    reset = {"token": link.token, "password": "another fine day"}
    assert (await client.post("/api/v1/auth/reset-password", json=reset)).status_code == 204

    await mfa_token(client, person, password="another fine day")


async def test_with_an_unreadable_secret_the_recovery_codes_are_still_good(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    """After a change of the secret key without a fallback."""
    someone = await enrolled(app, people)
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(update(TotpFactor).values(secret=b"\x01" + b"x" * 60))

    token = await mfa_token(client, someone.person)
    assert (await second_step(client, token, someone.code())).status_code == 422
    assert (await second_step(client, token, someone.recovery_codes[0])).status_code == 200


@pytest.mark.asvs("11.1.1", "11.2.2")
async def test_another_secret_key_leaves_codes_good(deployment: Deployment) -> None:
    """A job seals what the key before it sealed, which can go then."""
    deployment.domains = DOMAINS
    former, current = "a former key of the service - forty letters", "the key of the service as it is today"
    first = await deployment.start(SECRET_KEY=former)
    someone = await enrolled(first, People(first))
    both = await deployment.start(SECRET_KEY=current, SECRET_KEY_FALLBACKS=former)
    await run_job(both, "keys.reseal")
    last = await deployment.start(SECRET_KEY=current)

    async with client_of(last) as client:
        answer = await second_step(client, await mfa_token(client, someone.person), someone.code())

    assert answer.status_code == 200, answer.text
