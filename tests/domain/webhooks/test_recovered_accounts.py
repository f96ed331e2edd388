"""Webhooks of an account that may have been in other hands."""

import asyncio

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import update

from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.auth.models import ApiKey, Session
from app.domain.webhooks.models import WebhookEndpoint
from app.lib.clock import utc_now
from tests.domain.accounts.answers import audited, rows
from tests.domain.auth.steps import CHANGE, FORGOT, ME, MY_EMAIL, OTHER_PASSWORD, RESET, REVERT, SEND_CODE, VERIFY
from tests.domain.auth.steps import sign_in as sign_in_by_password
from tests.domain.webhooks.attempts import WEBHOOKS, make_webhook
from tests.support.apps import core_of
from tests.support.counting import counted_statements
from tests.support.links import newest, received
from tests.support.people import PASSWORD, People
from tests.support.waiting import until


@pytest.mark.asvs("6.4.4")
@pytest.mark.parametrize("way", ["confirm", "reset", "revert"])
async def test_who_takes_an_account_back_switches_its_webhooks_off(
    app: Litestar, client: httpx.AsyncClient, people: People, way: str
) -> None:
    """They stay, and so does what a user has who changes a password that they know."""
    person = await people.create(email="ada@example.com", is_verified=way == "revert")
    async with people.client(person) as theirs:
        made = await make_webhook(theirs)
        if way == "revert":
            assert (await theirs.post(MY_EMAIL, json={"email": "thief@example.com"})).status_code == 202
            await client.post(CHANGE, json={"token": (await newest(app, "change_email")).token})
    if way != "revert":
        await client.post(SEND_CODE if way == "confirm" else FORGOT, json={"email": "ada@example.com"})
    route, kind = {
        "confirm": (VERIFY, "verify_email"), "reset": (RESET, "reset_password"), "revert": (REVERT, "revert_email")
    }[way]  # fmt: skip
    body = {"token": (await newest(app, kind)).token, "password": OTHER_PASSWORD}
    assert (await client.post(route, json=body)).status_code == 204

    pair = (await sign_in_by_password(client, "ada@example.com", OTHER_PASSWORD)).json()
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    url = f"{WEBHOOKS}/{made['id']}"
    shown = (await client.get(url, headers=headers)).json()
    assert (shown["is_active"], shown["disabled_reason"]) == (False, "password_reset")
    assert [event.details for event in await audited(app, "webhook.disabled")] == [{"reason": "password_reset"}]

    assert "webhooks switched off" in (await newest(app, "password_changed")).text

    on = (await client.patch(url, json={"is_active": True}, headers=headers)).json()
    assert (on["is_active"], on["disabled_reason"]) == (True, None)
    change = {"current_password": OTHER_PASSWORD, "new_password": PASSWORD}
    pair = (await client.post(f"{ME}/password", json=change, headers=headers)).json()
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    assert (await client.get(url, headers=headers)).json()["is_active"]
    assert "webhooks switched off" not in (await newest(app, "password_changed")).text


@pytest.mark.asvs("6.3.7")
async def test_the_owner_is_mailed_where_events_go_from_now_on(app: Litestar, people: People) -> None:
    """As of a new API key; not of other changes. The mail has no word of the URL, which may be a thief's."""
    person = await people.create()
    async with people.client(person) as client:
        url = f"{WEBHOOKS}/{(await make_webhook(client))['id']}"
        assert (await client.patch(url, json={"url": "https://thief.example/in"})).status_code == 200
        assert (await client.patch(url, json={"description": "Mine"})).status_code == 200

    mails = await received(app, "webhook_changed")
    assert [(mail.to, "thief" in mail.text) for mail in mails] == [(person.email, False)] * 2


@pytest.mark.asvs("7.4.3")
async def test_a_request_that_was_let_in_before_the_session_ended_makes_no_webhook(
    app: Litestar, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await people.create()
    monkeypatch.setattr(core_of(app).services.get(SessionAuthenticator), "_cache_seconds", 60)
    async with people.client(person) as client:
        assert (await client.get(WEBHOOKS)).status_code == 200
        async with core_of(app).database.independent() as unit:
            ended = update(Session).where(Session.id == person.session_id).values(revoked_at=utc_now())
            await unit.session.execute(ended)
        late = await client.post(WEBHOOKS, json={"url": "https://example.com/", "kinds": ["user.updated"]})

    assert (late.status_code, late.json()["detail"][:20]) == (401, "The session has ende")


@pytest.mark.asvs("7.4.3", "15.4.2")
@pytest.mark.parametrize("by_key", [False, True])
async def test_a_change_that_waited_while_the_account_was_taken_back_is_refused(
    app: Litestar, people: People, monkeypatch: pytest.MonkeyPatch, *, by_key: bool
) -> None:
    """Else a thief could switch a webhook on again, or learn its new secret."""
    person, core = await people.create(), core_of(app)
    monkeypatch.setattr(core.services.get(SessionAuthenticator), "_cache_seconds", 60)
    async with people.client(person) as client:
        made = await make_webhook(client)
        if by_key:
            key = (await client.post(f"{ME}/api-keys", json={"name": "A key", "scopes": []})).json()["key"]
            client.headers["Authorization"] = f"Bearer {key}"
        url = f"{WEBHOOKS}/{made['id']}"
        assert (await client.get(url)).status_code == 200
        with counted_statements(app) as statements:
            async with core.database.independent() as other:  # what the owner does
                await other.session.execute(update(Session).values(revoked_at=utc_now()))
                await other.session.execute(update(ApiKey).values(revoked_at=utc_now()))
                await other.session.execute(update(WebhookEndpoint).values(is_active=False))
                statements.clear()
                late = asyncio.create_task(client.patch(url, json={"is_active": True}))
                await until(lambda: bool(statements) or core.database.url.is_sqlite)
            refused = [await late] + ([] if by_key else [await client.post(f"{url}/rotate-secret")])

    assert [each.status_code for each in refused] == [401] * len(refused)
    [webhook] = await rows(app, WebhookEndpoint)
    assert not webhook.is_active
