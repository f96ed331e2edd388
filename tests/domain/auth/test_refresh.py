"""Going on with a session: rotation of refresh tokens."""

import asyncio
from datetime import timedelta
from urllib.parse import urlencode

import httpx
import jwt
import pytest
import time_machine
from litestar import Litestar
from sqlalchemy import delete, update

from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.auth.models import Session
from app.lib.http.rules import FORM as FORM_TYPE
from tests.domain.auth.steps import (
    REFRESH,
    audited,
    bearer,
    change_user,
    fields,
    refresh,
    session_row,
    sign_in,
    warm,
    whoami,
)
from tests.support.apps import Deployment, client_of, core_of
from tests.support.people import People, Person

FORM = {"Content-Type": FORM_TYPE}


def expires_at(token: str) -> int:
    found: int = jwt.decode(token, options={"verify_signature": False})["exp"]
    return found


def assert_invalid(response: httpx.Response) -> None:
    assert response.status_code == 401
    assert response.json()["code"] == "invalid_token"
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "form"])
async def test_a_refresh_token_gives_the_next_pair(
    client: httpx.AsyncClient, people: People, app: Litestar, as_json: bool
) -> None:
    person = await people.create()
    body = {"refresh_token": person.refresh_token, "grant_type": "refresh_token", "client_id": "docs", "scope": ""}

    response = await (client.post(REFRESH, json=body) if as_json else client.post(REFRESH, data=body))

    assert response.status_code == 200
    tokens = response.json()
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 600)
    assert tokens["refresh_token"] != person.refresh_token
    assert tokens["access_token"] != person.access_token
    assert response.headers["cache-control"] == "no-store"
    assert (await whoami(client, tokens["access_token"])).status_code == 200
    assert (await whoami(client, person.access_token)).status_code == 200  # it is the same session
    assert (await session_row(app, person.session_id)).generation == 2


async def test_a_session_goes_on_for_many_generations(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    token = person.refresh_token
    for _ in range(6):
        token = (await refresh(client, token)).json()["refresh_token"]

    assert jwt.decode(token, options={"verify_signature": False})["generation"] == 7


async def test_a_session_shows_where_it_was_used_last(
    app: Litestar, people: People, clock: time_machine.Traveller
) -> None:
    person = await people.create()
    before = await session_row(app, person.session_id)
    clock.shift(timedelta(days=2))

    async with client_of(app, address="2001:db8::7", headers={"User-Agent": "phone"}) as client:
        assert (await refresh(client, person.refresh_token)).status_code == 200

    row = await session_row(app, person.session_id)
    assert (row.address, row.user_agent) == ("2001:db8::7", "phone")
    assert row.last_seen_at == row.rotated_at == before.last_seen_at + timedelta(days=2)
    assert row.authenticated_at == before.authenticated_at
    assert row.expires_at == before.expires_at


@pytest.mark.asvs("10.4.5")
async def test_fifty_parallel_refreshes_make_one_step_and_end_no_session(app: Litestar, people: People) -> None:
    await warm(app)
    person = await people.create()

    async def attempt(number: int) -> httpx.Response:
        async with client_of(app, address=f"198.51.100.{number}") as client:
            return await refresh(client, person.refresh_token)

    responses = await asyncio.gather(*(attempt(number) for number in range(50)))

    assert [response.status_code for response in responses] == [200] * 50
    assert len({response.json()["refresh_token"] for response in responses}) == 1
    assert (await session_row(app, person.session_id)).generation == 2
    assert await audited(app, "token.reused") == []
    async with client_of(app) as client:
        for response in responses[:3]:
            assert (await whoami(client, response.json()["access_token"])).status_code == 200


async def test_parallel_refreshes_at_two_workers_make_one_step(deployment: Deployment) -> None:
    apps = await deployment.start(), await deployment.start()
    await warm(*apps)
    person = await People(apps[0]).create()

    async def attempt(number: int) -> httpx.Response:
        async with client_of(apps[number % 2], address=f"198.51.100.{number}") as client:
            return await refresh(client, person.refresh_token)

    responses = await asyncio.gather(*(attempt(number) for number in range(20)))

    assert [response.status_code for response in responses] == [200] * 20
    assert len({response.json()["refresh_token"] for response in responses}) == 1
    assert (await session_row(apps[0], person.session_id)).generation == 2


async def test_a_retry_within_ten_seconds_gets_the_same_token_byte_for_byte(
    client: httpx.AsyncClient, people: People, app: Litestar, clock: time_machine.Traveller
) -> None:
    person = await people.create()
    clock.shift(timedelta(minutes=5, microseconds=123_456))
    first = (await refresh(client, person.refresh_token)).json()

    for seconds in (0, 3, 7):  # ten seconds in all
        clock.shift(timedelta(seconds=seconds))
        again = (await refresh(client, person.refresh_token)).json()
        assert again["refresh_token"] == first["refresh_token"]
        assert (await whoami(client, again["access_token"])).status_code == 200

    assert (await session_row(app, person.session_id)).generation == 2
    assert expires_at(again["access_token"]) == expires_at(first["access_token"]) + 10


async def test_a_session_survives_a_restart(deployment: Deployment) -> None:
    before = await deployment.start()
    async with client_of(before) as client:
        person = await People(before).create()
        signed_in = (await sign_in(client, person.email)).json()
        rotated = (await refresh(client, signed_in["refresh_token"])).json()

    after = await deployment.start()
    async with client_of(after) as client:
        assert (await whoami(client, signed_in["access_token"])).status_code == 200
        retried = (await refresh(client, signed_in["refresh_token"])).json()
        assert retried["refresh_token"] == rotated["refresh_token"]
        assert (await refresh(client, rotated["refresh_token"])).status_code == 200


@pytest.mark.asvs("7.3.1")
async def test_a_session_without_use_ends(
    client: httpx.AsyncClient, people: People, app: Litestar, clock: time_machine.Traveller
) -> None:
    person = await people.create()
    tokens = (await sign_in(client, person.email)).json()

    clock.shift(timedelta(days=13))
    tokens = (await refresh(client, tokens["refresh_token"])).json()
    clock.shift(timedelta(days=13))
    tokens = (await refresh(client, tokens["refresh_token"])).json()
    clock.shift(timedelta(days=14, seconds=10))

    assert_invalid(await refresh(client, tokens["refresh_token"]))
    assert await audited(app, "token.reused") == []


@pytest.mark.asvs("7.3.2")
async def test_a_session_ends_however_much_it_is_used(deployment: Deployment, clock: time_machine.Traveller) -> None:
    app = await deployment.start(SESSION_EXPIRE_DAYS="20")
    async with client_of(app) as client:
        person = await People(app).create()
        tokens = (await sign_in(client, person.email)).json()
        end = expires_at(tokens["refresh_token"]) + 6 * 86_400
        clock.shift(timedelta(days=10))
        tokens = (await refresh(client, tokens["refresh_token"])).json()
        assert expires_at(tokens["refresh_token"]) == end
        clock.shift(timedelta(days=10, minutes=-2))
        tokens = (await refresh(client, tokens["refresh_token"])).json()
        assert expires_at(tokens["refresh_token"]) == end
        assert (await whoami(client, tokens["access_token"])).status_code == 200
        core_of(app).services.get(SessionAuthenticator).forget(None)  # a second has long passed

        clock.shift(timedelta(minutes=3))

        assert_invalid(await refresh(client, tokens["refresh_token"]))
        assert (await whoami(client, tokens["access_token"])).json()["code"] == "invalid_token"


async def test_the_row_decides_when_a_session_ends(client: httpx.AsyncClient, people: People, app: Litestar) -> None:
    """Not the token, whose own times are only an early no."""
    for column in ["idle_expires_at", "expires_at"]:
        person = await people.create()
        row = await session_row(app, person.session_id)
        async with core_of(app).database.independent() as unit:
            past = {column: row.created_at - timedelta(seconds=1)}
            await unit.session.execute(update(Session).where(Session.id == person.session_id).values(past))

        assert_invalid(await refresh(client, person.refresh_token))
        assert (await session_row(app, person.session_id)).generation == 1


async def test_who_is_deactivated_does_not_go_on(client: httpx.AsyncClient, people: People, app: Litestar) -> None:
    person = await people.create()
    rotated = (await refresh(client, person.refresh_token)).json()
    await change_user(app, person.id, is_active=False)

    for token in (rotated["refresh_token"], person.refresh_token):
        assert_invalid(await refresh(client, token))

    assert (await session_row(app, person.session_id)).generation == 2
    assert await audited(app, "token.reused") == []


@pytest.mark.asvs("9.2.2")
async def test_each_kind_of_token_is_good_for_one_thing(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    assert_invalid(await refresh(client, person.access_token))
    assert (await whoami(client, person.refresh_token)).json()["code"] == "invalid_token"
    assert (await client.post("/api/v1/auth/logout", headers=bearer(person.refresh_token))).status_code == 401
    assert (await refresh(client, person.refresh_token)).status_code == 200


async def test_a_mistake_is_named(client: httpx.AsyncClient) -> None:
    for body, errors in (
        ({}, {"/refresh_token": "required"}),
        ({"refresh_token": ""}, {"/refresh_token": "too_short"}),
        ({"refresh_token": "x" * 4097}, {"/refresh_token": "too_long"}),
        ({"refresh_token": "x", "grant_type": "password"}, {"/grant_type": "invalid_choice"}),
        ({"refresh_token": "x", "access_token": "y"}, {"/access_token": "unknown_field"}),
        ({"refresh_token": ["x", "y"]}, {"/refresh_token": "invalid_type"}),
    ):
        response = await client.post(REFRESH, json=body)
        assert response.status_code == 422
        assert fields(response) == errors
        form = await client.post(REFRESH, content=urlencode(body, doseq=True), headers=FORM)
        assert (form.status_code, form.json()["error"]) == (
            400,
            "unsupported_grant_type" if "/grant_type" in errors else "invalid_request",
        )
    refused = await client.post(REFRESH, content="refresh_token=x", headers=FORM)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_grant")
    assert refused.json()["error_description"] == refused.json()["detail"]


async def test_nonsense_is_an_invalid_token(client: httpx.AsyncClient) -> None:
    for token in ["x", "a.b.c", "....", "\u2603", "eyJ.eyJ.", " " * 40, "%00", "'; DROP TABLE"]:
        assert_invalid(await refresh(client, token))


async def test_the_token_is_read_from_the_body_only(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    assert (await client.post(REFRESH, headers=bearer(person.refresh_token), json={})).status_code == 422
    assert (await client.post(f"{REFRESH}?refresh_token={person.refresh_token}", json={})).status_code == 400
    client.cookies.set("refresh_token", person.refresh_token)
    assert (await client.post(REFRESH, json={})).status_code == 422


async def test_a_token_of_a_session_that_is_gone_is_invalid(
    client: httpx.AsyncClient, people: People, app: Litestar
) -> None:
    person: Person = await people.create()
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(delete(Session))

    assert_invalid(await refresh(client, person.refresh_token))
