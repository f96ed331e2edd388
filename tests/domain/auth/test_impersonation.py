"""Support acts as a user: for an hour, with no more rights, and never in secret."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
import time_machine
from litestar import Litestar

from app.domain.auth.permissions import USERS_IMPERSONATE
from app.domain.auth.repositories.sessions import MAX_SESSIONS
from app.domain.auth.services.tokens import TokenIssuer
from app.lib.clock import utc_now
from app.lib.realtime.frames import CloseCode
from tests.domain.accounts.answers import ME, USERS, is_refused
from tests.domain.auth.steps import bearer, sign_in, whoami
from tests.support.apps import core_of
from tests.support.audit import audited
from tests.support.people import People, Person
from tests.support.sockets import connected

SESSIONS, LOGOUT = "/api/v1/auth/sessions", "/api/v1/auth/logout"
RIGHTS = [USERS_IMPERSONATE, "users:read"]


async def impersonate(client: httpx.AsyncClient, actor: Person, user: Person) -> httpx.Response:
    return await client.post(f"{USERS}/{user.id}/impersonate", headers=actor.headers)


async def token_for(client: httpx.AsyncClient, actor: Person, user: Person) -> str:
    response = await impersonate(client, actor, user)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    answer = response.json()
    assert set(answer) == {"access_token", "token_type", "expires_in"}
    assert answer["expires_in"] == 3600
    token: str = answer["access_token"]
    return token


@pytest.mark.asvs("7.6.2", "16.3.2", "16.2.1")
async def test_support_acts_as_a_user_who_sees_it(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    support, user = await people.create(permissions=RIGHTS), await people.create()
    token = await token_for(client, support, user)
    claims = core_of(app).services.get(TokenIssuer).signer.read_access(token)

    assert (await whoami(client, token)).json()["id"] == str(user.id)
    assert claims.user_id == user.id
    assert claims.act is not None
    assert claims.act.user_id == support.id
    listed = (await client.get(SESSIONS, headers=user.headers)).json()["items"]
    assert [(each["id"], each["by_support"]) for each in listed] == [
        (str(claims.session_id), True),
        (str(user.session_id), False),
    ]
    assert is_refused(await client.get(USERS, headers=bearer(token)), 403, "permission_denied")
    [started], [impersonated] = [await audited(app, kind) for kind in ("impersonation.started", "session.impersonated")]
    assert (started.actor_id, started.subject_id) == (support.id, support.id)
    assert (impersonated.actor_id, impersonated.subject_id) == (support.id, user.id)
    assert (await client.post(LOGOUT, headers=bearer(token))).status_code == 204
    assert is_refused(await whoami(client, token), 401, "invalid_token")
    assert len((await client.get(SESSIONS, headers=user.headers)).json()["items"]) == 1
    in_session = await audited(app, "access.denied", "impersonation.ended")
    assert [each.kind for each in in_session] == ["access.denied", "impersonation.ended"]
    for event in in_session:
        assert event.session_id == claims.session_id
        assert event.actor_id == support.id
        assert event.details["acts_as"] == str(user.id)


@pytest.mark.asvs("7.6.2", "7.1.2")
async def test_support_has_one_session_of_a_user_and_ends_none_of_theirs(
    client: httpx.AsyncClient, people: People
) -> None:
    support, user = await people.create(permissions=RIGHTS), await people.create()
    tokens = [await token_for(client, support, user) for _ in range(MAX_SESSIONS + 2)]

    assert is_refused(await whoami(client, tokens[0]), 401, "invalid_token")
    assert (await whoami(client, tokens[-1])).status_code == 200
    listed = (await client.get(SESSIONS, headers=user.headers)).json()["items"]
    assert [(each["by_support"], each["current"]) for each in listed] == [(True, False), (False, True)]
    confirmed = await client.post("/api/v1/auth/reauthenticate", json={"password": user.password}, headers=user.headers)
    assert (confirmed.status_code, confirmed.json().get("id")) == (200, str(user.session_id))
    for _ in range(MAX_SESSIONS - 1):
        await people.sign_in(user.id, user.email)
    assert (await sign_in(client, user.email, user.password)).status_code == 200
    assert is_refused(await whoami(client, user.access_token), 401, "invalid_token")
    assert (await whoami(client, tokens[-1])).status_code == 200


@pytest.mark.asvs("6.3.3", "7.6.2")
async def test_support_who_owes_a_second_factor_acts_as_no_one(client: httpx.AsyncClient, people: People) -> None:
    boss, user = await people.create(is_superuser=True), await people.create()
    role_id = await people.role("support", RIGHTS)
    support = await people.create(roles=["support"])
    token = await token_for(client, support, user)

    strict = await client.patch(f"/api/v1/roles/{role_id}", json={"requires_mfa": True}, headers=boss.headers)

    assert strict.status_code == 200
    assert is_refused(await whoami(client, token), 401, "invalid_token")


@pytest.mark.asvs("8.2.1", "8.2.2")
async def test_never_of_someone_with_more_rights(client: httpx.AsyncClient, people: People) -> None:
    support, admin = await people.create(permissions=RIGHTS), await people.create(is_superuser=True)
    stronger, superuser = await people.create(permissions=["orders:read"]), await people.create(is_superuser=True)
    banned, user = await people.create(is_active=False), await people.create()
    account = await people.create(is_service=True)
    stale = await people.sign_in(support.id, support.email, at=utc_now() - timedelta(minutes=11))

    assert is_refused(await impersonate(client, support, stronger), 403, "permission_denied")
    assert is_refused(await impersonate(client, support, superuser), 403, "permission_denied")
    assert is_refused(await impersonate(client, admin, superuser), 403, "permission_denied")
    assert is_refused(await impersonate(client, support, support), 403, "permission_denied")
    assert is_refused(await impersonate(client, support, banned), 409, "invalid_state")
    assert is_refused(await impersonate(client, support, account), 409, "invalid_state")
    assert is_refused(await impersonate(client, stale, user), 403, "reauth_required")
    assert is_refused(await impersonate(client, user, support), 404, "not_found")
    peer = await people.create(permissions=RIGHTS)
    chained = bearer(await token_for(client, support, peer))
    response = await client.post(f"{USERS}/{user.id}/impersonate", headers=chained)
    assert is_refused(response, 403, "own_sign_in_required")
    key = bearer(await people.key(admin.id, RIGHTS))
    response = await client.post(f"{USERS}/{user.id}/impersonate", headers=key)
    assert is_refused(response, 403, "own_sign_in_required")


@pytest.mark.asvs("8.2.1")
async def test_what_the_user_gains_later_is_not_the_supports(client: httpx.AsyncClient, people: People) -> None:
    admin, support, user = (
        await people.create(is_superuser=True),
        await people.create(permissions=RIGHTS),
        await people.create(),
    )
    await people.role("keeper", ["users:read", "roles:read"])
    token = bearer(await token_for(client, support, user))
    url = f"{USERS}/{user.id}"

    given = await client.put(f"{url}/roles", headers=admin.headers, json={"roles": ["keeper"]})
    assert given.status_code == 200
    assert (await client.get(USERS, headers=token)).status_code == 200
    assert is_refused(await client.get("/api/v1/roles", headers=token), 403, "permission_denied")
    assert (await client.patch(url, headers=admin.headers, json={"is_superuser": True})).status_code == 200
    assert is_refused(await client.get(ME, headers=token), 401, "invalid_token")


@pytest.mark.asvs("6.3.3", "7.5.1")
async def test_support_does_nothing_sensitive(client: httpx.AsyncClient, people: People) -> None:
    support, user = await people.create(permissions=RIGHTS), await people.create()
    token = bearer(await token_for(client, support, user))

    for method, url in (
        ("DELETE", ME),
        ("POST", f"{ME}/password"),
        ("POST", f"{ME}/email"),
        ("POST", f"{ME}/api-keys"),
        ("GET", SESSIONS),
        ("DELETE", f"{SESSIONS}/{user.session_id}"),
        ("POST", "/api/v1/auth/logout-all"),
        ("POST", "/api/v1/auth/logout-others"),
        ("POST", "/api/v1/auth/reauthenticate"),
        ("POST", "/api/v1/webhooks"),
    ):
        assert is_refused(await client.request(method, url, headers=token), 403, "own_sign_in_required")
    assert (
        await client.post("/api/v1/auth/refresh", json={"refresh_token": token["Authorization"][7:]})
    ).status_code == 401
    assert (await whoami(client, user.access_token)).status_code == 200


@pytest.mark.asvs("7.4.1", "7.4.2", "8.3.2")
@pytest.mark.parametrize("ends", ["sign-out", "banned", "right lost", "user ends it", "user's password", "an hour"])
async def test_it_ends_at_once_with_its_sockets(
    app: Litestar, client: httpx.AsyncClient, people: People, ends: str
) -> None:
    admin = await people.create(is_superuser=True)
    await people.role("support", RIGHTS)
    support, user = await people.create(roles=["support"]), await people.create()
    token = await token_for(client, support, user)
    ticket = (await client.post("/api/v1/realtime/tickets", headers=bearer(token))).json()["ticket"]
    session = (await client.get(SESSIONS, headers=user.headers)).json()["items"][0]["id"]
    url = f"{USERS}/{support.id}"

    async with connected(app, token=token) as by_token, connected(app, ticket=ticket) as by_ticket:
        assert (await whoami(client, token)).status_code == 200
        if ends == "an hour":
            with time_machine.travel(utc_now() + timedelta(hours=1, seconds=6)):
                assert await by_token.until_closed() == CloseCode.AUTHENTICATE_AGAIN
                assert is_refused(await whoami(client, token), 401, "invalid_token")
            return
        acts: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
            "sign-out": lambda: client.post(LOGOUT, headers=support.headers),
            "banned": lambda: client.post(f"{url}/deactivate", headers=admin.headers),
            "right lost": lambda: client.put(f"{url}/roles", headers=admin.headers, json={"roles": []}),
            "user ends it": lambda: client.delete(f"{SESSIONS}/{session}", headers=user.headers),
            "user's password": lambda: client.post(
                f"{ME}/password",
                headers=user.headers,
                json={"current_password": user.password, "new_password": "quite another day"},
            ),
        }
        assert (await acts[ends]()).is_success
        assert is_refused(await whoami(client, token), 401, "invalid_token")
        assert await by_token.until_closed() == CloseCode.AUTHENTICATE_AGAIN
        assert await by_ticket.until_closed() == CloseCode.AUTHENTICATE_AGAIN
    if ends == "sign-out":
        assert len((await client.get(SESSIONS, headers=user.headers)).json()["items"]) == 1
