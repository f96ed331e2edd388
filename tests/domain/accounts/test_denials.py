"""Denials are in the audit log, although the request that was denied changes nothing."""

from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from tests.domain.accounts.answers import ROLES, USERS, audited, is_refused
from tests.support.apps import client_of
from tests.support.people import People

DENIED = "access.denied"


@pytest.mark.asvs("16.3.2")
async def test_what_a_policy_denies_is_audited_with_its_origin(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person, other = await people.create(), await people.create()

    assert is_refused(await client.get(USERS, headers=person.headers), 403, "permission_denied")
    assert is_refused(await client.get(f"{USERS}/{other.id}", headers=person.headers), 404, "not_found")

    listed, shown = await audited(app, DENIED)
    assert listed.actor_id == shown.actor_id == person.id
    assert listed.session_id == person.session_id
    assert listed.address is not None
    assert listed.request_id is not None
    assert listed.details == {"method": "GET", "route": USERS, "reason": "PermissionDenied"}
    assert shown.details["reason"] == "NotVisible"


@pytest.mark.asvs("16.3.2")
@pytest.mark.caller("roles:write", "roles:read")
async def test_what_a_service_denies_is_audited_too(app: Litestar, calls: httpx.AsyncClient) -> None:
    response = await calls.post(ROLES, json={"name": "cook", "permissions": ["users:delete"]})

    assert is_refused(response, 403, "permission_denied")
    [event] = await audited(app, DENIED)
    assert event.details == {"method": "POST", "route": ROLES, "reason": "BeyondOwnRights"}


async def test_a_keyed_request_that_is_denied_is_audited(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create(permissions=["roles:write"])
    headers = person.headers | {"Idempotency-Key": "one"}

    response = await client.post(ROLES, headers=headers, json={"name": "cook", "permissions": ["users:delete"]})

    assert is_refused(response, 403, "permission_denied")
    assert len(await audited(app, DENIED)) == 1


async def test_the_log_cannot_be_filled_by_repeating_a_denial(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    first, second = await people.create(), await people.create()
    for person in (first, second):
        for _ in range(5):
            await client.get(USERS, headers=person.headers)
            await client.get(f"{USERS}/{uuid4()}", headers=person.headers)

    assert len(await audited(app, DENIED)) == 4


async def test_what_is_allowed_or_merely_absent_is_no_denial(app: Litestar, people: People) -> None:
    person = await people.create(permissions=["users:read"])
    async with client_of(app) as client:
        assert (await client.get(USERS, headers=person.headers)).status_code == 200
        assert (await client.get(f"{USERS}/{uuid4()}", headers=person.headers)).status_code == 404
        assert (await client.get(USERS)).status_code == 401

    assert await audited(app, DENIED) == []
