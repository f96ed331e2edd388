"""Users who have lost their second factor, and administrators who turn it off."""

from datetime import timedelta

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.permissions import USERS_READ, USERS_WRITE
from app.lib.clock import utc_now
from tests.domain.auth.factors import DEAD_TOKEN, enrolled, mfa_token, second_step
from tests.domain.auth.steps import audited, fields, sign_in, whoami
from tests.domain.notifications.steps import composed
from tests.support.people import People, Person

pytestmark = pytest.mark.usefixtures("clock")


def url(person: Person) -> str:
    return f"/api/v1/users/{person.id}/mfa"


@pytest.mark.asvs("6.4.4", "6.5.6", "7.4.3")
@pytest.mark.caller(USERS_READ, USERS_WRITE)
async def test_an_administrator_turns_a_second_factor_off(
    app: Litestar, client: httpx.AsyncClient, calls: httpx.AsyncClient, people: People
) -> None:
    someone = await enrolled(app, people, locale="de")
    token = await mfa_token(client, someone.person)

    answers = [await calls.delete(url(someone.person)) for _ in range(2)]

    assert [each.status_code for each in answers] == [204, 404]
    assert (await whoami(client, someone.person.access_token)).status_code == 401
    for code in (someone.code(), someone.recovery_codes[0]):
        assert (await second_step(client, token, code)).status_code == 422
    assert (await sign_in(client, someone.person.email)).status_code == 200
    (event,) = await audited(app, "mfa.turned_off")
    assert (event.subject_id, event.details) == (someone.person.id, {"recovery_codes_left": 0})
    assert event.actor_id != someone.person.id
    mail = (await composed(app, "second_factor_changed"))[-1]
    assert (mail.subject, mail.to.address) == ("Dein zweiter Faktor wurde geändert", someone.person.email)
    assert "von der Verwaltung abgeschaltet" in mail.text


@pytest.mark.asvs("8.2.2", "8.3.1", "7.5.3")
async def test_who_may_turn_a_second_factor_off(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    boss = await enrolled(app, people, is_superuser=True)
    more = await enrolled(app, people, permissions=[USERS_READ, "roles:write"])
    user = await enrolled(app, people)
    stale_at = utc_now() - timedelta(minutes=11)
    admin = await people.create(permissions=[USERS_READ, USERS_WRITE])
    stale = await people.create(permissions=[USERS_READ, USERS_WRITE], signed_in_at=stale_at)
    reader, stranger = await people.create(permissions=[USERS_READ]), await people.create()

    async def attempt(actor: Person, target: Person) -> tuple[int, str]:
        answer = await client.delete(url(target), headers=actor.headers)
        return answer.status_code, answer.json()["code"] if answer.content else ""

    assert await attempt(admin, boss.person) == (403, "permission_denied")
    assert await attempt(admin, more.person) == (403, "permission_denied")
    assert await attempt(stale, user.person) == (403, "reauth_required")
    assert await attempt(reader, user.person) == (403, "permission_denied")
    assert await attempt(stranger, user.person) == (404, "not_found")
    assert await attempt(user.person, boss.person) == (404, "not_found")
    assert await attempt(admin, user.person) == (204, "")
    assert await attempt(boss.person, more.person) == (204, "")
    await mfa_token(client, boss.person)


async def test_an_end_of_a_second_factor_between_the_steps(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    """The token dies with the user, and without a factor no code fits it."""
    someone = await enrolled(app, people)
    token = await mfa_token(client, someone.person)
    boss = await people.create(is_superuser=True)
    assert (await client.delete(url(someone.person), headers=boss.headers)).status_code == 204

    assert (await second_step(client, token, someone.code())).status_code == 422
    assert (await client.delete(f"/api/v1/users/{someone.person.id}", headers=boss.headers)).status_code == 204
    assert fields(await second_step(client, token, someone.code())) == DEAD_TOKEN
