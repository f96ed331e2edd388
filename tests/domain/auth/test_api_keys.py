"""API keys: how they are made, shown, used and ended."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.services.passwords import PasswordService
from app.domain.auth.models import ApiKey
from app.lib.audit import SYSTEM
from app.lib.clock import utc_now
from app.lib.mail.models import Mail
from app.lib.security.opaque import digest, is_intact
from tests.domain.accounts.answers import ME, ROLES, USERS, field_errors, is_refused, rows
from tests.domain.auth.steps import audited, bearer, whoami
from tests.support.apps import client_of, core_of
from tests.support.counting import counted_statements
from tests.support.people import People, Person
from tests.support.waiting import until_it_holds

KEYS = f"{ME}/api-keys"


async def create(client: httpx.AsyncClient, person: Person, *scopes: str, **values: Any) -> dict[str, Any]:
    body = {"name": "Nightly export", "scopes": scopes, **values}
    response = await client.post(KEYS, headers=person.headers, json=body)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.asvs("11.4.1", "11.5.1", "13.3.1", "14.3.2")
async def test_the_secret_is_shown_once_and_only_its_digest_is_kept(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create(permissions=["users:read", "posts:write"])
    body = {"name": "Nightly export", "scopes": ["users:read", "users:read"]}
    response = await client.post(KEYS, headers=person.headers | {"Idempotency-Key": "a" * 20}, json=body)
    created = response.json()
    secret = created.pop("key")
    [kept] = await rows(app, ApiKey)

    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    assert secret.startswith("ldk_")
    assert is_intact(secret, "ldk_")
    assert kept.digest == digest(secret)
    assert created["scopes"] == ["users:read"]
    assert timedelta(days=89) < kept.expires_at - utc_now() < timedelta(days=91)
    assert (await client.get(response.headers["location"], headers=person.headers)).json() == created
    assert (await client.get(KEYS, headers=person.headers)).json()["items"] == [created]
    repeated = await client.post(KEYS, headers=person.headers | {"Idempotency-Key": "a" * 20}, json=body)
    assert repeated.json()["key"] != secret  # no answer with a secret is stored
    assert [mail.to_address for mail in await rows(app, Mail, Mail.kind == "api_key_created")] == [person.email] * 2
    [event, _] = await audited(app, "api_key.created")
    assert event.subject_id == person.id
    assert secret not in str(event)


@pytest.mark.asvs("8.2.1", "8.3.1")
async def test_a_key_has_those_of_its_scopes_that_its_owner_holds_at_the_time(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    admin = await people.create(is_superuser=True)
    await people.role("reader", ["users:read", "roles:read"])
    person = await people.create(roles=["reader"])
    key = bearer((await create(client, person, "users:read"))["key"])

    assert (await client.get(USERS, headers=key)).status_code == 200
    assert is_refused(await client.get(ROLES, headers=key), 403, "permission_denied")  # no scope for it
    taken = await client.put(f"{USERS}/{person.id}/roles", headers=admin.headers, json={"roles": []})
    assert taken.status_code == 200
    assert is_refused(await client.get(USERS, headers=key), 403, "permission_denied")
    assert (await client.get(ME, headers=key)).json()["id"] == str(person.id)
    given = await client.put(f"{USERS}/{person.id}/roles", headers=admin.headers, json={"roles": ["reader"]})
    assert given.status_code == 200
    assert (await client.get(USERS, headers=key)).status_code == 200
    [denied, _] = await audited(app, "access.denied")
    assert denied.actor_id == person.id
    assert denied.session_id is None
    assert denied.details["api_key_id"] == str((await rows(app, ApiKey))[0].id)


@pytest.mark.asvs("8.2.1")
async def test_scopes_are_permissions_that_the_owner_holds(client: httpx.AsyncClient, people: People) -> None:
    person, admin = await people.create(permissions=["users:read"]), await people.create(is_superuser=True)

    for body, errors in (
        ({"scopes": ["users:read", "users:write"]}, {"/scopes/1": "invalid_choice"}),
        ({"scopes": ["no:such"]}, {"/scopes/0": "invalid_choice"}),
        ({"scopes": ["*"]}, {"/scopes/0": "invalid_format"}),
        ({"expires_in_days": 366}, {"/expires_in_days": "too_large"}),
        ({"expires_in_days": 0}, {"/expires_in_days": "too_small"}),
        ({"user_id": str(admin.id)}, {"/user_id": "unknown_field"}),
    ):
        response = await client.post(KEYS, headers=person.headers, json={"name": "Mine", **body})
        assert field_errors(response) == errors
    key = bearer((await create(client, admin, "users:write"))["key"])
    assert is_refused(await client.get(ROLES, headers=key), 403, "permission_denied")  # of a superuser, too
    response = await client.patch(f"{USERS}/{person.id}", headers=key, json={"is_superuser": True})
    assert response.status_code == 403
    created = await create(client, admin)
    assert (await client.patch(f"{KEYS}/{created['id']}", headers=admin.headers, json={})).status_code == 405


@pytest.mark.asvs("6.3.3", "7.5.1")
async def test_a_key_creates_no_key_and_needs_step_up(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    stale = await people.sign_in(person.id, person.email, at=utc_now() - timedelta(minutes=11))
    key = bearer((await create(client, person))["key"])

    for method, url in (("POST", KEYS), ("GET", KEYS), ("POST", f"{ME}/password"), ("GET", "/api/v1/auth/sessions")):
        response = await client.request(
            method, url, headers=key, json={"name": "Another"} if method == "POST" else None
        )
        assert is_refused(response, 403, "own_sign_in_required")
    assert is_refused(await client.post(KEYS, headers=stale.headers, json={"name": "Late"}), 403, "reauth_required")
    verification = {"email": person.email, "code": "123456"}
    response = await client.post("/api/v1/auth/verify-email", headers=key, json=verification)
    assert is_refused(response, 403, "own_sign_in_required")


@pytest.mark.asvs("9.1.1", "11.4.1")
async def test_what_is_no_key_is_refused_without_the_database(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create()
    key = await people.key(person.id)
    mistyped = [key[:-1], key[:-1] + ("a" if key[-1] != "a" else "b"), key + "a", key[:20], "ldk_", key.upper()]
    mistyped += [key[:10] + ("a" if key[10] != "a" else "b") + key[11:], f"x{key[1:]}", f"{key[:-1]}\u00e9"]
    headers = [{"Authorization": f"Bearer {each}".encode()} for each in mistyped]
    headers += [{"Authorization": f"{scheme} {key}".encode()} for scheme in ("Basic", "Token", "ApiKey", "")]

    with counted_statements(app) as seen:
        for each in headers:
            response = await client.get(ME, headers=each)  # type: ignore[arg-type]  # bytes go as they are
            assert is_refused(response, 401, "invalid_token")
        for url in (f"{ME}?access_token={key}", f"{ME}?api_key={key}"):
            assert (await client.get(url)).status_code == 401
        assert (await client.get(ME, headers={"X-API-Key": key, "Cookie": f"access_token={key}"})).status_code == 401
        refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": key})
        assert refreshed.status_code == 401
    assert [each for each in seen if "api_keys" in each] == []
    assert (await whoami(client, key)).status_code == 200


@pytest.mark.asvs("8.3.2")
async def test_a_key_costs_what_a_token_costs(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    key = await people.key(person.id)
    await whoami(client, key)

    with counted_statements(app) as by_key:
        await whoami(client, key)
    await whoami(client, person.access_token)
    with counted_statements(app) as by_token:
        await whoami(client, person.access_token)
    assert len(by_key) == len(by_token)


async def test_the_last_use_is_written_after_the_request(app: Litestar, people: People) -> None:
    person = await people.create()
    key = await people.key(person.id)
    async with client_of(app) as client:
        with counted_statements(app) as seen:
            assert (await whoami(client, key)).status_code == 200
        assert not any("UPDATE" in each for each in seen)

        async def is_written() -> bool:
            listed = (await client.get(KEYS, headers=person.headers)).json()["items"]
            return listed[0]["last_used_at"] is not None

        await until_it_holds(is_written)
        [kept] = await rows(app, ApiKey)
        await whoami(client, key)
        assert [each.last_used_at for each in await rows(app, ApiKey)] == [kept.last_used_at]  # to the minute


@pytest.mark.asvs("7.4.1", "8.3.2", "16.3.2")
@pytest.mark.parametrize("ends", ["revoked", "by admin", "deactivated", "expired"])
async def test_a_key_that_has_ended_is_refused_and_audited(
    app: Litestar, client: httpx.AsyncClient, people: People, ends: str
) -> None:
    person, admin = await people.create(), await people.create(is_superuser=True)
    created = await create(client, person)
    key, url = created["key"], f"{KEYS}/{created['id']}"
    assert (await whoami(client, key)).status_code == 200

    if ends == "revoked":
        assert (await client.delete(url, headers=person.headers)).status_code == 204
        assert is_refused(await client.delete(url, headers=person.headers), 404, "not_found")
    elif ends == "by admin":
        listed = await client.get(f"{USERS}/{person.id}/api-keys", headers=admin.headers)
        assert [each["id"] for each in listed.json()["items"]] == [created["id"]]
        url = f"{USERS}/{person.id}/api-keys/{created['id']}"
        assert (await client.delete(url, headers=admin.headers)).status_code == 204
    elif ends == "deactivated":
        for action in ("deactivate", "activate"):
            response = await client.post(f"{USERS}/{person.id}/{action}", headers=admin.headers)
            assert response.status_code == 200
    else:
        key = await people.key(person.id, expires_at=utc_now() - timedelta(seconds=1))

    assert is_refused(await whoami(client, key), 401, "invalid_token")
    assert is_refused(await whoami(client, key), 401, "invalid_token")
    [event] = await audited(app, "access.denied")  # not once for each
    assert event.subject_id == person.id
    assert event.details["reason"] == "KeyRefused"
    assert key not in str(event)


@pytest.mark.asvs("7.4.3")
async def test_a_key_outlives_sign_outs_and_a_change_of_the_password_but_no_recovery(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create()
    key = await people.key(person.id)
    assert (await client.post("/api/v1/auth/logout-all", headers=person.headers)).status_code == 204
    assert (await whoami(client, key)).status_code == 200
    person = await people.sign_in(person.id, person.email)
    body = {"current_password": person.password, "new_password": "quite another day"}
    assert (await client.post(f"{ME}/password", headers=person.headers, json=body)).status_code == 200
    assert (await whoami(client, key)).status_code == 200

    async with core_of(app).database.independent() as unit:
        passwords = core_of(app).services.build(PasswordService, unit, SYSTEM)
        await passwords.set_password(person.id, "the owner is back")
    assert is_refused(await whoami(client, key), 401, "invalid_token")


@pytest.mark.asvs("8.2.2")
async def test_keys_of_others_do_not_exist(client: httpx.AsyncClient, people: People) -> None:
    person, other, reader = (
        await people.create(),
        await people.create(),
        await people.create(permissions=["users:read"]),
    )
    manager, admin = (
        await people.create(permissions=["users:read", "users:write"]),
        await people.create(is_superuser=True),
    )
    created = await create(client, person)
    await people.key(admin.id)
    admins_key = (await client.get(KEYS, headers=admin.headers)).json()["items"][0]["id"]

    for method in ("GET", "DELETE"):
        response = await client.request(method, f"{KEYS}/{created['id']}", headers=other.headers)
        assert is_refused(response, 404, "not_found")
    theirs = f"{USERS}/{person.id}/api-keys"
    assert is_refused(await client.get(theirs, headers=other.headers), 404, "not_found")
    assert is_refused(
        await client.delete(f"{theirs}/{created['id']}", headers=reader.headers), 403, "permission_denied"
    )
    assert is_refused(await client.delete(f"{theirs}/{admins_key}", headers=manager.headers), 404, "not_found")
    response = await client.delete(f"{USERS}/{admin.id}/api-keys/{admins_key}", headers=manager.headers)
    assert is_refused(response, 403, "permission_denied")


@pytest.mark.asvs("2.3.4")
async def test_parallel_creation_stops_at_fifty(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    for _ in range(46):
        await people.key(person.id)
    for _ in range(60):
        await people.key(person.id, revoked_at=utc_now())

    calls = [client.post(KEYS, headers=person.headers, json={"name": "One more"}) for _ in range(8)]
    statuses = [each.status_code for each in await asyncio.gather(*calls)]

    assert sorted(statuses) == [201] * 4 + [409] * 4
    kept = await rows(app, ApiKey)
    assert sum(each.revoked_at is None for each in kept) == 50
    assert sum(each.revoked_at is not None for each in kept) == 50
