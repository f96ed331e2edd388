"""The audit log over HTTP: what is recorded, who may read it, and what users see of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar

from app.domain.audit.permissions import AUDIT_READ
from tests.domain.accounts.answers import is_refused
from tests.domain.auth.steps import LOGIN, ME, REFRESH, STRANGER, sign_in, sign_in_from
from tests.support.apps import ADDRESS
from tests.support.audit import chain
from tests.support.people import PASSWORD, People, Person

LOG = "/api/v1/audit-log"
OWN = f"{ME}/security-events"
NEW_PASSWORD = "an even finer day"


async def listed(client: httpx.AsyncClient, url: str, who: Person, **parameters: Any) -> list[dict[str, Any]]:
    response = await client.get(url, params={"page_size": 100, **parameters}, headers=who.headers)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


@pytest.mark.asvs("16.2.1", "16.3.1", "16.3.2", "16.3.3")
async def test_what_happens_to_an_account_is_in_the_log_and_its_user_sees_it(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person, boss = await people.create(), await people.create(is_superuser=True)
    auditor = await people.create(permissions=[AUDIT_READ])

    await sign_in_from(app, STRANGER, person.email, "wrong horse battery")
    assert (await sign_in(client, person.email)).status_code == 200
    first = (await client.post(LOGIN, json={"username": person.email, "password": PASSWORD})).json()
    for _ in range(2):
        second = (await client.post(REFRESH, json={"refresh_token": first["refresh_token"]})).json()
    await client.post(REFRESH, json={"refresh_token": second["refresh_token"]})
    reused = await client.post(REFRESH, json={"refresh_token": first["refresh_token"]})
    assert is_refused(reused, 401, "invalid_token")
    await client.get("/api/v1/roles", headers=person.headers)
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    pair = (await client.post(f"{ME}/password", json=change, headers=person.headers)).json()
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    await client.post(f"{ME}/email", json={"email": "other@example.com"}, headers=headers)
    await client.post("/api/v1/auth/logout", headers=headers)
    await client.post("/api/v1/roles", json={"name": "cook", "permissions": []}, headers=boss.headers)
    await client.put(f"/api/v1/users/{person.id}/roles", json={"roles": ["cook"]}, headers=boss.headers)
    await client.post(f"/api/v1/users/{person.id}/deactivate", headers=boss.headers)
    await sign_in(client, person.email, NEW_PASSWORD)
    await client.post(f"/api/v1/users/{person.id}/activate", headers=boss.headers)
    for _ in range(9):
        await sign_in_from(app, STRANGER, person.email, "wrong horse battery")
    await chain(app)

    log = await listed(client, LOG, auditor, subject_id=person.id)
    kinds = [each["kind"] for each in reversed(log)]
    assert kinds == [
        "sign_in.failed",
        "sign_in.ok",
        "sign_in.ok",
        "token.reused",
        "access.denied",
        "password.changed",
        "session.replaced",
        "link.requested",
        "sign_out",
        "user.roles_set",
        "user.deactivated",
        "sign_in.inactive",
        "user.activated",
        *["sign_in.failed"] * 8,
        "sign_in.locked_out",
    ]
    by_boss = [each for each in log if each["kind"] == "user.roles_set"]
    assert [(each["actor_id"], each["address"], each["details"]) for each in by_boss] == [
        (str(boss.id), ADDRESS, {"roles": ["cook"]})
    ]
    assert all(
        secret not in str(log) for secret in (PASSWORD, NEW_PASSWORD, "other@example.com", first["refresh_token"])
    )

    pair = (await client.post(LOGIN, json={"username": person.email, "password": NEW_PASSWORD})).json()
    again = await client.get(OWN, headers={"Authorization": f"Bearer {pair['access_token']}"}, params={"page_size": 50})
    own = again.json()["items"]
    assert [each["kind"] for each in reversed(own)] == kinds
    assert again.headers["cache-control"] == "no-store"
    assert {each["address"] for each in own if each["by_other"]} == {None}
    assert [each["kind"] for each in own if each["by_other"]] == [
        "user.activated",
        "user.deactivated",
        "user.roles_set",
    ]
    assert {each["address"] for each in own if each["kind"] == "sign_in.failed"} == {STRANGER}
    assert await listed(client, OWN, auditor) == []


@pytest.mark.asvs("16.4.2")
async def test_the_log_is_filtered_and_walked_by_those_who_may(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person, auditor = await people.create(), await people.create(permissions=[AUDIT_READ])
    for _ in range(3):
        await sign_in(client, person.email)
    await sign_in_from(app, STRANGER, "stranger@example.com")
    await client.patch(ME, json={"name": "Ada"}, headers=person.headers)
    await chain(app)

    filters: list[tuple[dict[str, Any], int]] = [
        ({}, 5),
        ({"kind": "sign_in.ok"}, 3),
        ({"kind": ["sign_in.ok", "user.updated"]}, 4),
        ({"actor_id": str(person.id)}, 1),
        ({"subject_id": str(person.id)}, 4),
        ({"session_id": str(person.session_id)}, 1),
        ({"address": STRANGER}, 1),
        ({"address": [f"::ffff:{STRANGER}", "192.0.2.1"]}, 1),
        ({"address": "nonsense"}, 0),
        ({"created_before": (datetime.now(UTC) - timedelta(days=1)).isoformat()}, 0),
        ({"created_after": (datetime.now(UTC) - timedelta(days=1)).isoformat(), "kind": "sign_in.failed"}, 1),
    ]
    for parameters, count in filters:
        assert len(await listed(client, LOG, auditor, **parameters)) == count, parameters

    walked: list[str] = []
    cursor: str | None = None
    for _ in range(5):
        page = await client.get(
            LOG, params={"page_size": 2, "cursor": cursor} if cursor else {"page_size": 2}, headers=auditor.headers
        )
        walked += [each["id"] for each in page.json()["items"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert walked == [each["id"] for each in await listed(client, LOG, auditor)]
    assert is_refused(await client.get(LOG, headers=person.headers), 403, "permission_denied")
    assert is_refused(await client.get(LOG), 401, "unauthenticated")
    assert is_refused(await client.get(OWN), 401, "unauthenticated")


async def test_requests_with_one_id_of_the_client_differ_in_ours(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person, auditor = await people.create(), await people.create(permissions=[AUDIT_READ])
    for name in ("Ada", "Grace"):
        headers = person.headers | {"X-Request-ID": "always-the-same"}
        response = await client.patch(ME, json={"name": name}, headers=headers)
        assert response.headers["x-request-id"] == "always-the-same"
    await chain(app)

    entries = await listed(client, LOG, auditor, subject_id=str(person.id))

    assert [each["client_request_id"] for each in entries] == ["always-the-same"] * 2
    assert len({each["request_id"] for each in entries}) == 2
