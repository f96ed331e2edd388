"""An old refresh token that comes back: there is a copy [ASVS 10.4.5]."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import time_machine
from litestar import Litestar

from tests.domain.auth.steps import (
    REFRESH,
    STRANGER,
    audited,
    bearer,
    refresh,
    session_row,
    sessions_of,
    sign_in,
    whoami,
)
from tests.support.apps import Deployment, client_of
from tests.support.people import People

pytestmark = pytest.mark.asvs("10.4.5", "7.4.1")


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "form"])
async def test_a_replay_after_the_grace_time_ends_the_session(
    client: httpx.AsyncClient, people: People, app: Litestar, clock: time_machine.Traveller, as_json: bool
) -> None:
    person = await people.create()
    rotated = (await refresh(client, person.refresh_token)).json()
    assert (await whoami(client, rotated["access_token"])).status_code == 200
    clock.shift(timedelta(seconds=10, milliseconds=1))

    body = {"refresh_token": person.refresh_token}
    async with client_of(app, address=STRANGER, headers={"X-Request-ID": "the-replay"}) as thief:
        replay = await (thief.post(REFRESH, json=body) if as_json else thief.post(REFRESH, data=body))

    assert replay.status_code == 401
    assert replay.json()["code"] == "invalid_token"
    assert replay.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert (await whoami(client, rotated["access_token"])).json()["code"] == "invalid_token"
    assert (await whoami(client, person.access_token)).json()["code"] == "invalid_token"
    assert (await refresh(client, rotated["refresh_token"])).json()["code"] == "invalid_token"
    row = await session_row(app, person.session_id)
    assert row.revoked_at is not None
    assert row.revoked_reason == "token_reused"
    (event,) = await audited(app, "token.reused")
    assert (event.subject_id, event.address, event.client_request_id) == (person.id, STRANGER, "the-replay")
    assert event.details == {"session_id": str(person.session_id)}


async def test_a_token_from_before_the_last_ends_the_session_at_once(
    client: httpx.AsyncClient, people: People, app: Litestar, clock: time_machine.Traveller
) -> None:
    """A lost answer explains a repeat of the last step, never of an earlier one."""
    person = await people.create()
    second = (await refresh(client, person.refresh_token)).json()
    third = (await refresh(client, second["refresh_token"])).json()
    clock.shift(timedelta(seconds=1))

    assert (await refresh(client, person.refresh_token)).json()["code"] == "invalid_token"

    assert (await refresh(client, third["refresh_token"])).json()["code"] == "invalid_token"
    assert len(await audited(app, "token.reused")) == 1


async def test_the_other_sessions_of_the_owner_go_on(
    client: httpx.AsyncClient, people: People, clock: time_machine.Traveller
) -> None:
    person = await people.create()
    other = (await sign_in(client, person.email)).json()
    await refresh(client, person.refresh_token)
    clock.shift(timedelta(seconds=11))

    await refresh(client, person.refresh_token)

    assert (await whoami(client, other["access_token"])).status_code == 200
    assert (await refresh(client, other["refresh_token"])).status_code == 200


async def test_parallel_replays_end_it_once_and_none_gets_through(
    client: httpx.AsyncClient, people: People, app: Litestar, clock: time_machine.Traveller
) -> None:
    person = await people.create()
    rotated = (await refresh(client, person.refresh_token)).json()
    clock.shift(timedelta(seconds=11))

    responses = await asyncio.gather(*(refresh(client, person.refresh_token) for _ in range(15)))

    assert {response.status_code for response in responses} == {401}
    assert (await refresh(client, rotated["refresh_token"])).status_code == 401
    assert (await session_row(app, person.session_id)).generation == 2
    assert await audited(app, "token.reused")


async def test_a_replay_at_one_worker_ends_the_session_at_the_other(
    deployment: Deployment, clock: time_machine.Traveller
) -> None:
    first, second = await deployment.start(AUTH_CACHE_SECONDS="0"), await deployment.start(AUTH_CACHE_SECONDS="0")
    person = await People(first).create()
    async with client_of(first) as here, client_of(second) as there:
        rotated = (await refresh(here, person.refresh_token)).json()
        assert (await whoami(there, rotated["access_token"])).status_code == 200
        clock.shift(timedelta(seconds=11))

        assert (await refresh(here, person.refresh_token)).status_code == 401

        assert (await whoami(there, rotated["access_token"])).status_code == 401
        assert (await refresh(there, rotated["refresh_token"])).status_code == 401


async def test_a_replay_of_an_ended_session_is_no_news(
    client: httpx.AsyncClient, people: People, app: Litestar, clock: time_machine.Traveller
) -> None:
    person = await people.create()
    rotated = (await refresh(client, person.refresh_token)).json()
    await client.post("/api/v1/auth/logout", headers=bearer(rotated["access_token"]))

    for seconds in (0, 11):
        clock.shift(timedelta(seconds=seconds))
        for token in (person.refresh_token, rotated["refresh_token"]):
            assert (await refresh(client, token)).json()["code"] == "invalid_token"

    assert await audited(app, "token.reused") == []
    assert (await session_row(app, person.session_id)).revoked_reason == "signed_out"


async def test_a_refresh_that_races_with_a_sign_out_leaves_no_living_session(app: Litestar, people: People) -> None:
    for number in range(8):
        person = await people.create()
        async with client_of(app, address=f"198.51.100.{number}") as client:
            refreshed, again, signed_out = await asyncio.gather(
                refresh(client, person.refresh_token),
                refresh(client, person.refresh_token),
                client.post("/api/v1/auth/logout", headers=person.headers),
            )
            assert signed_out.status_code == 204
            for response in (refreshed, again):
                if response.status_code == 200:
                    assert (await whoami(client, response.json()["access_token"])).status_code == 401
                    assert (await refresh(client, response.json()["refresh_token"])).status_code == 401
                else:
                    assert response.json()["code"] == "invalid_token"
        (row,) = await sessions_of(app, person.id)
        assert row.revoked_reason == "signed_out"
