"""Sessions that end: sign-out, a new password, a deactivation; and rights that change [ASVS 7.4]."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from app.domain.auth.repositories.sessions import MAX_SESSIONS, PURGE, SessionRepository
from app.domain.auth.settings import AuthSettings
from app.lib.clock import utc_now
from tests.domain.auth.steps import ME, audited, bearer, refresh, session_row, sessions_of, sign_in, whoami
from tests.support.apps import Deployment, client_of, core_of
from tests.support.people import PASSWORD, People, Person

pytestmark = pytest.mark.asvs("7.4.1", "7.4.2")

LOGOUT = "/api/v1/auth/logout"
LOGOUT_ALL = "/api/v1/auth/logout-all"


async def assert_dead(client: httpx.AsyncClient, access_token: str, refresh_token: str | None = None) -> None:
    response = await whoami(client, access_token)
    assert response.status_code == 401
    assert response.json()["code"] == "invalid_token"
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    if refresh_token is not None:
        assert (await refresh(client, refresh_token)).json()["code"] == "invalid_token"


async def test_sign_out_ends_the_access_token_too(client: httpx.AsyncClient, people: People, app: Litestar) -> None:
    person = await people.create()
    other = await people.sign_in(person.id, person.email)
    assert (await whoami(client, person.access_token)).status_code == 200  # remembered from here on

    response = await client.post(LOGOUT, headers=person.headers)

    assert response.status_code == 204
    assert response.content == b""
    assert response.headers["cache-control"] == "no-store"
    await assert_dead(client, person.access_token, person.refresh_token)
    assert (await client.post(LOGOUT, headers=person.headers)).status_code == 401
    assert (await whoami(client, other.access_token)).status_code == 200
    assert (await session_row(app, person.session_id)).revoked_reason == "signed_out"
    (event,) = await audited(app, "sign_out")
    assert (event.actor_id, event.session_id, event.address) == (person.id, person.session_id, "203.0.113.7")


async def test_sign_out_everywhere_ends_every_session_of_the_caller_only(
    client: httpx.AsyncClient, people: People, app: Litestar
) -> None:
    person, another = await people.create(), await people.create()
    other = await people.sign_in(person.id, person.email)
    for session in (person, other, another):
        assert (await whoami(client, session.access_token)).status_code == 200

    assert (await client.post(LOGOUT_ALL, headers=person.headers)).status_code == 204

    await assert_dead(client, person.access_token, person.refresh_token)
    await assert_dead(client, other.access_token, other.refresh_token)
    assert (await whoami(client, another.access_token)).status_code == 200
    (event,) = await audited(app, "sign_out.everywhere")
    assert event.details == {"sessions": 2}
    assert (await sign_in(client, person.email)).status_code == 200


@pytest.mark.parametrize("path", [LOGOUT, LOGOUT_ALL])
async def test_sign_out_needs_a_session_and_no_body(client: httpx.AsyncClient, people: People, path: str) -> None:
    anonymous = await client.post(path)
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "unauthenticated")
    assert anonymous.headers["www-authenticate"] == "Bearer"
    assert (await client.get(path)).status_code == 405
    person = await people.create()
    assert (await client.post(path, headers=bearer(person.refresh_token))).status_code == 401
    assert (await whoami(client, person.access_token)).status_code == 200


@pytest.mark.asvs("7.4.3")
async def test_a_new_password_ends_all_sessions(client: httpx.AsyncClient, people: People, app: Litestar) -> None:
    person = await people.create()
    other = await people.sign_in(person.id, person.email)
    for session in (person, other):
        assert (await whoami(client, session.access_token)).status_code == 200

    response = await client.post(
        "/api/v1/users/me/password",
        json={"current_password": PASSWORD, "new_password": "an even finer day"},
        headers=person.headers,
    )

    assert response.status_code == 200
    pair = response.json()
    for session in (person, other):
        await assert_dead(client, session.access_token, session.refresh_token)
    assert (await whoami(client, pair["access_token"])).status_code == 200
    assert (await refresh(client, pair["refresh_token"])).status_code == 200
    assert (await session_row(app, other.session_id)).revoked_reason == "password_changed"
    assert (await sign_in(client, person.email, PASSWORD)).status_code == 401
    assert (await sign_in(client, person.email, "an even finer day")).status_code == 200


async def test_a_refused_password_change_ends_nothing(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    other = await people.sign_in(person.id, person.email)

    for body in (
        {"current_password": "a wrong one", "new_password": "an even finer day"},
        {"current_password": PASSWORD, "new_password": "short"},
    ):
        response = await client.post("/api/v1/users/me/password", json=body, headers=person.headers)
        assert response.status_code in {403, 422}

    assert (await whoami(client, other.access_token)).status_code == 200


async def test_a_deactivation_ends_the_sessions_for_good(
    client: httpx.AsyncClient, people: People, app: Litestar
) -> None:
    admin, person = await people.create(is_superuser=True), await people.create()
    assert (await whoami(client, person.access_token)).status_code == 200

    for action in ("deactivate", "activate"):
        response = await client.post(f"/api/v1/users/{person.id}/{action}", headers=admin.headers)
        assert response.status_code == 200
        await assert_dead(client, person.access_token, person.refresh_token)

    assert (await session_row(app, person.session_id)).revoked_reason == "deactivated"
    assert (await sign_in(client, person.email)).status_code == 200


async def test_a_deletion_ends_the_sessions(client: httpx.AsyncClient, people: People, app: Litestar) -> None:
    person = await people.create()
    assert (await whoami(client, person.access_token)).status_code == 200

    assert (await client.delete(ME, headers=person.headers)).status_code == 204

    await assert_dead(client, person.access_token, person.refresh_token)
    assert await sessions_of(app, person.id) == []


@pytest.mark.asvs("8.3.2")
async def test_a_change_of_roles_acts_at_once(client: httpx.AsyncClient, people: People) -> None:
    admin, person = await people.create(is_superuser=True), await people.create()
    await people.role("clerk", ["users:read"])

    async def status() -> int:
        return (await client.get("/api/v1/users", headers=person.headers)).status_code

    async def give(*roles: str) -> None:
        body = {"roles": list(roles)}
        answer = await client.put(f"/api/v1/users/{person.id}/roles", json=body, headers=admin.headers)
        assert answer.status_code == 200

    assert await status() == 403
    await give("clerk")
    assert await status() == 200
    await give()
    assert await status() == 403


async def test_only_sessions_that_are_over_are_purged(people: People, app: Litestar) -> None:
    person = await people.create()
    signed_out = await people.sign_in(person.id, person.email)
    later = (await session_row(app, person.session_id)).expires_at
    async with core_of(app).database.independent() as unit:
        assert await SessionRepository(unit).revoke(signed_out.session_id, signed_out.id, utc_now(), "signed_out")
        await unit.execute(PURGE, now=utc_now())
    assert len(await sessions_of(app, person.id)) == 2  # an old token of it may still come back, and be recognised

    async with core_of(app).database.independent() as unit:
        await unit.execute(PURGE, now=later + timedelta(days=1))
    assert await sessions_of(app, person.id) == []


async def test_the_oldest_session_ends_when_there_are_too_many(
    client: httpx.AsyncClient, people: People, app: Litestar
) -> None:
    first = await people.create()
    second = await people.sign_in(first.id, first.email)
    for _ in range(MAX_SESSIONS - 2):
        await people.sign_in(first.id, first.email)
    other = await people.create()
    assert (await whoami(client, first.access_token)).status_code == 200

    assert (await sign_in(client, first.email)).status_code == 200

    await assert_dead(client, first.access_token, first.refresh_token)
    assert (await session_row(app, first.session_id)).revoked_reason == "too_many"
    assert (await whoami(client, second.access_token)).status_code == 200
    assert (await whoami(client, other.access_token)).status_code == 200
    assert [row.revoked_at for row in await sessions_of(app, first.id)].count(None) == MAX_SESSIONS


Act = Callable[[httpx.AsyncClient, Person, Person], Awaitable[httpx.Response]]


async def sign_out(client: httpx.AsyncClient, person: Person, _: Person) -> httpx.Response:
    return await client.post(LOGOUT, headers=person.headers)


async def sign_out_everywhere(client: httpx.AsyncClient, person: Person, _: Person) -> httpx.Response:
    return await client.post(LOGOUT_ALL, headers=person.headers)


async def deactivate(client: httpx.AsyncClient, person: Person, admin: Person) -> httpx.Response:
    return await client.post(f"/api/v1/users/{person.id}/deactivate", headers=admin.headers)


@pytest_asyncio.fixture(params=["0", "1"], ids=["without cache", "one second of cache"])
async def workers(request: pytest.FixtureRequest, deployment: Deployment) -> AsyncIterator[list[Litestar]]:
    """Two of them; each keeps its own memory."""
    seconds: str = request.param
    yield [await deployment.start(AUTH_CACHE_SECONDS=seconds) for _ in range(2)]


async def test_an_end_is_known_to_the_other_worker_within_a_second(workers: list[Litestar]) -> None:
    here, there = workers
    people = People(here)
    admin = await people.create(is_superuser=True)
    ended = [(act, await people.create()) for act in (sign_out, sign_out_everywhere, deactivate)]
    async with client_of(here) as at_here, client_of(there) as at_there:
        for _, person in ended:
            for client in (at_here, at_there):
                assert (await whoami(client, person.access_token)).status_code == 200
        for act, person in ended:
            assert (await act(at_here, person, admin)).status_code in {200, 204}
            await assert_dead(at_here, person.access_token, person.refresh_token)
        if core_of(there).settings.section(AuthSettings).auth_cache_seconds:
            await asyncio.sleep(1.01)
        for _, person in ended:
            await assert_dead(at_there, person.access_token, person.refresh_token)
