"""Second factors of the current user: set up, confirmed, renewed and removed."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest
import time_machine
from litestar import Litestar
from sqlalchemy import select

from app.domain.auth.models import MfaToken, RecoveryCode, TotpFactor
from app.lib.audit.tables import AuditInbox
from app.lib.clock import utc_now
from app.lib.db.idempotency import IdempotencyKey
from app.lib.jobs.tables import QueuedJob
from app.lib.mail.models import Mail
from tests.domain.auth.factors import MFA, WRONG_CODE, Enrolled, enroll, enrolled, mfa_token, second_step
from tests.domain.auth.steps import audited, fields, sign_in, whoami
from tests.domain.notifications.steps import composed
from tests.support.apps import core_of
from tests.support.people import People

pytestmark = pytest.mark.usefixtures("clock")
OFF = {"is_on": False, "is_required": False, "totp_confirmed_at": None, "recovery_codes_left": 0}


async def test_an_app_is_set_up_and_confirmed_by_a_code(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create(email="ada@example.com", locale="de")
    elsewhere = await people.sign_in(person.id, person.email)

    made = await client.post(f"{MFA}/totp", headers=person.headers)
    url = urlsplit(made.json()["otpauth_url"])
    someone = Enrolled(person, made.json()["secret"], [])
    assert (made.status_code, made.headers["cache-control"]) == (200, "no-store")
    assert (url.scheme, url.netloc, unquote(url.path)) == ("otpauth", "totp", "/Lodestar:ada@example.com")
    assert parse_qs(url.query) == {"secret": [someone.secret], "issuer": ["Lodestar"]}
    assert ET.fromstring(made.json()["qr_svg"]).tag.endswith("svg")  # noqa: S314 - it is our own
    assert (await client.get(MFA, headers=person.headers)).json() == OFF
    assert (await sign_in(client, person.email)).status_code == 200

    wrong = await client.post(f"{MFA}/totp/confirm", json={"code": someone.code(2)}, headers=person.headers)
    right = await client.post(f"{MFA}/totp/confirm", json={"code": someone.code()}, headers=person.headers)

    assert (wrong.status_code, fields(wrong)) == (422, WRONG_CODE)
    assert (right.status_code, right.headers["cache-control"]) == (200, "no-store")
    codes = right.json()["recovery_codes"]
    assert len(set(codes)) == 10
    assert {len(each.replace("-", "")) for each in codes} == {24}
    state = (await client.get(MFA, headers=person.headers)).json()
    assert (state["is_on"], state["recovery_codes_left"]) == (True, 10)
    assert (await whoami(client, person.access_token)).status_code == 200
    assert (await whoami(client, elsewhere.access_token)).status_code == 401
    (mail,) = await composed(app, "second_factor_changed")
    assert (mail.subject, mail.to.address) == ("Dein zweiter Faktor wurde geändert", "ada@example.com")
    assert "eine App, die Codes erzeugt, ist jetzt ein zweiter Faktor" in mail.text
    (event,) = await audited(app, "mfa.totp_added")
    assert (event.subject_id, event.actor_id) == (person.id, person.id)
    again = await client.post(f"{MFA}/totp", headers=person.headers)
    assert (again.status_code, again.json()["code"]) == (409, "invalid_state")
    used = await second_step(client, await mfa_token(client, person), someone.code())
    assert fields(used) == WRONG_CODE, "it was used to confirm"


async def test_only_the_newest_secret_is_confirmed_within_ten_minutes(
    client: httpx.AsyncClient, people: People, clock: time_machine.Traveller
) -> None:
    person = await people.create()
    assert (
        await client.post(f"{MFA}/totp/confirm", json={"code": "123456"}, headers=person.headers)
    ).status_code == 404
    first, second = [
        Enrolled(person, (await client.post(f"{MFA}/totp", headers=person.headers)).json()["secret"], [])
        for _ in range(2)
    ]

    answer = await client.post(f"{MFA}/totp/confirm", json={"code": first.code()}, headers=person.headers)
    assert answer.status_code == 422
    clock.shift(601)
    fresh = await people.sign_in(person.id, person.email)
    late = await client.post(f"{MFA}/totp/confirm", json={"code": second.code()}, headers=fresh.headers)

    assert late.status_code == 404
    assert (await client.get(MFA, headers=fresh.headers)).json() == OFF


@pytest.mark.asvs("7.5.1", "7.4.3")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/totp", None),
        ("POST", "/totp/confirm", {"code": "123456"}),
        ("DELETE", "/totp", None),
        ("POST", "/recovery-codes", None),
    ],
)
async def test_each_change_needs_a_recent_sign_in(
    client: httpx.AsyncClient, people: People, method: str, path: str, body: dict[str, Any] | None
) -> None:
    person = await people.create(signed_in_at=utc_now() - timedelta(minutes=11))

    answer = await client.request(method, MFA + path, json=body, headers=person.headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "reauth_required")


@pytest.mark.asvs("6.5.2", "7.4.3")
async def test_new_recovery_codes_replace_the_old_ones(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create()
    off = await client.post(f"{MFA}/recovery-codes", headers=person.headers)
    assert (off.status_code, off.json()["code"]) == (404, "not_found")
    someone = await enroll(client, person)
    elsewhere = await second_step(client, await mfa_token(client, person), someone.recovery_codes[0])

    renewed = (await client.post(f"{MFA}/recovery-codes", headers=person.headers)).json()["recovery_codes"]

    assert len({*renewed, *someone.recovery_codes}) == 20
    assert (await whoami(client, elsewhere.json()["access_token"])).status_code == 401
    old = await second_step(client, await mfa_token(client, person), someone.recovery_codes[1])
    new = await second_step(client, await mfa_token(client, person), renewed[1])
    assert (old.status_code, new.status_code) == (422, 200)
    assert len(await audited(app, "mfa.recovery_codes_renewed")) == 1


async def test_the_recovery_codes_go_with_the_last_factor(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    someone = await enrolled(app, people)
    token = await mfa_token(client, someone.person)

    answers = [await client.delete(f"{MFA}/totp", headers=someone.person.headers) for _ in range(2)]

    assert [each.status_code for each in answers] == [204, 404]
    assert (await client.get(MFA, headers=someone.person.headers)).json() == OFF
    assert (await second_step(client, token, someone.recovery_codes[0])).status_code == 422
    assert (await sign_in(client, someone.person.email)).status_code == 200
    texts = [mail.text for mail in await composed(app, "second_factor_changed")]
    assert "is no second factor of your account" in texts[-1]
    assert len(await audited(app, "mfa.totp_removed")) == 1
    assert len((await enroll(client, someone.person)).recovery_codes) == 10


@pytest.mark.asvs("6.5.2", "13.3.1", "14.2.1", "16.2.5")
async def test_secrets_are_not_kept_in_the_clear(
    app: Litestar, client: httpx.AsyncClient, people: People, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither where they belong nor in logs, mails, jobs, the audit log or stored answers."""
    person = await people.create()
    headers = {**person.headers, "Idempotency-Key": "the same one"}
    secret = (await client.post(f"{MFA}/totp", headers=headers)).json()["secret"]
    someone = Enrolled(person, secret, [])
    code = someone.code(-1)
    answer = await client.post(f"{MFA}/totp/confirm", json={"code": code}, headers=headers)
    token = await mfa_token(client, person)
    assert (await second_step(client, token, someone.code(2))).status_code == 422
    assert (await second_step(client, token, answer.json()["recovery_codes"][0])).status_code == 200
    await mfa_token(client, person)

    kept = ""
    async with core_of(app).database.independent() as unit:
        for table in (TotpFactor, RecoveryCode, MfaToken, AuditInbox, Mail, QueuedJob, IdempotencyKey):
            kept += repr((await unit.session.execute(select(table.__table__))).all())
    kept += "".join(capfd.readouterr())
    codes = answer.json()["recovery_codes"]
    assert "mfa.totp_added" in kept
    for hidden in (secret, code, token, *codes, *(each.replace("-", "") for each in codes)):
        assert hidden not in kept
