"""Users for programs: no one signs in as them, and their keys come from administrators."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.models import User
from app.domain.accounts.services import users
from app.domain.auth.jobs import MailLink
from app.domain.auth.services.links import Purpose
from app.lib.mail.models import Mail
from tests.domain.accounts.answers import ME, ROLES, USERS, is_refused, rows
from tests.domain.auth.steps import FORGOT, REGISTER, SEND_CODE, audited, bearer, sign_in, whoami
from tests.support.jobs import run_job
from tests.support.people import People, Person

SERVICE_ACCOUNTS = "/api/v1/service-accounts"


async def create(client: httpx.AsyncClient, admin: Person, *roles: str) -> dict[str, Any]:
    response = await client.post(SERVICE_ACCOUNTS, headers=admin.headers, json={"name": "Stock sync"})
    assert response.status_code == 201, response.text
    account: dict[str, Any] = response.json()
    url = f"{USERS}/{account['id']}"
    assert response.headers["location"] == url
    assert (await client.put(f"{url}/roles", headers=admin.headers, json={"roles": roles})).status_code == 200
    return account


async def create_key(client: httpx.AsyncClient, admin: Person, account: dict[str, Any], *scopes: str) -> httpx.Response:
    body = {"name": "Production", "scopes": scopes}
    return await client.post(f"{USERS}/{account['id']}/api-keys", headers=admin.headers, json=body)


@pytest.mark.asvs("6.3.2", "13.2.1", "13.2.2")
async def test_a_program_acts_as_a_service_account_by_its_key(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    admin = await people.create(is_superuser=True)
    await people.role("reader", ["users:read"])
    account = await create(client, admin, "reader")
    created = (await create_key(client, admin, account, "users:read")).json()
    key = bearer(created["key"])

    assert (await client.get(ME, headers=key)).json()["is_service"] is True
    listed = await client.get(f"{USERS}?is_service=true", headers=key)
    assert [each["id"] for each in listed.json()["items"]] == [account["id"]]
    url = f"{USERS}/{account['id']}/api-keys/{created['id']}"
    assert (await client.get(url, headers=admin.headers)).json()["last_used_at"] is None
    assert is_refused(await client.get(url, headers=key), 403, "own_sign_in_required")
    assert (await client.delete(url, headers=admin.headers)).status_code == 204
    assert is_refused(await whoami(client, created["key"]), 401, "invalid_token")
    assert await rows(app, Mail) == []
    [event] = await audited(app, "api_key.created")
    assert (event.actor_id, event.subject_id) == (admin.id, UUID(account["id"]))


@pytest.mark.asvs("6.3.2")
async def test_no_one_signs_in_as_a_service_account(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    admin = await people.create(is_superuser=True)
    account = await create(client, admin)
    [row] = await rows(app, User, User.is_service)

    for password in ("!", "", row.password_hash, row.password_hash[1:]):
        assert (await sign_in(client, account["email"], password)).status_code in {400, 401}
    for url in (FORGOT, SEND_CODE):
        assert (await client.post(url, json={"email": account["email"]})).status_code == 202
    body = {"email": account["email"], "password": "a fine day to sail"}
    assert (await client.post(REGISTER, json=body)).status_code == 409
    sent = await client.post(f"{USERS}/{account['id']}/send-password-reset", headers=admin.headers)
    assert is_refused(sent, 404, "not_found")
    for purpose in (Purpose.VERIFY_EMAIL, Purpose.RESET_PASSWORD):
        await run_job(app, "auth.mail_link", MailLink(row.id, purpose))
    assert await rows(app, Mail, Mail.user_id == row.id) == []

    url = f"{USERS}/{account['id']}"
    for change in ({"email": "ada@example.com"}, {"username": "sync"}, {"is_superuser": True}, {"is_verified": True}):
        assert is_refused(await client.patch(url, headers=admin.headers, json=change), 409, "invalid_state")
    renamed = await client.patch(url, headers=admin.headers, json={"name": "Prices"})
    assert renamed.json()["name"] == "Prices"


@pytest.mark.asvs("8.2.1", "8.2.2")
async def test_a_key_of_a_service_account_is_no_way_to_more_rights(client: httpx.AsyncClient, people: People) -> None:
    admin = await people.create(is_superuser=True)
    manager = await people.create(permissions=["users:read", "users:write"])
    await people.role("keeper", ["roles:read"])
    strong, weak = await create(client, admin, "keeper"), await create(client, admin)

    assert is_refused(await create_key(client, manager, strong, "roles:read"), 403, "permission_denied")
    assert is_refused(await create_key(client, manager, weak, "users:read"), 422, "validation_failed")
    assert (await create_key(client, manager, weak)).status_code == 201
    people_only = await create_key(client, admin, {"id": str(manager.id)})
    assert is_refused(people_only, 409, "invalid_state")
    assert is_refused(await create_key(client, await people.create(), weak), 404, "not_found")
    key = bearer(await people.key(admin.id, ["users:write", "users:read", "roles:write"]))
    response = await client.post(SERVICE_ACCOUNTS, headers=key, json={"name": "Another"})
    assert is_refused(response, 403, "own_sign_in_required")
    assert is_refused(await client.post(ROLES, headers=key, json={"name": "cook"}), 403, "own_sign_in_required")


async def test_a_service_account_ends_like_a_user(client: httpx.AsyncClient, people: People) -> None:
    admin = await people.create(is_superuser=True)
    account = await create(client, admin)
    key = (await create_key(client, admin, account)).json()["key"]

    for action in ("deactivate", "activate"):
        assert (await client.post(f"{USERS}/{account['id']}/{action}", headers=admin.headers)).status_code == 200
        assert is_refused(await whoami(client, key), 401, "invalid_token")
    fresh = (await create_key(client, admin, account)).json()["key"]
    assert (await whoami(client, fresh)).status_code == 200
    assert (await client.delete(f"{USERS}/{account['id']}", headers=admin.headers)).status_code == 204
    assert is_refused(await whoami(client, fresh), 401, "invalid_token")
    assert is_refused(await create_key(client, admin, account), 404, "not_found")


async def test_service_accounts_are_no_superusers(client: httpx.AsyncClient, people: People) -> None:
    """So the last superuser is always a person, who can sign in."""
    admin = await people.create(is_superuser=True)
    await create(client, admin)

    assert is_refused(await client.delete(ME, headers=admin.headers), 409, "invalid_state")


@pytest.mark.asvs("6.3.3")
async def test_a_role_that_requires_a_second_factor_does_not_stop_a_program(
    client: httpx.AsyncClient, people: People
) -> None:
    """No one signs in as a service account, so there is nothing to which a second factor could be added."""
    admin = await people.create(is_superuser=True)
    await people.role("reader", ["users:read"], requires_mfa=True)
    account = await create(client, admin, "reader")
    key = (await create_key(client, admin, account, "users:read")).json()["key"]

    assert (await client.get(USERS, headers=bearer(key))).status_code == 200


@pytest.mark.asvs("15.2.2")
async def test_there_is_a_number_of_service_accounts(
    client: httpx.AsyncClient, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "MAX_SERVICE_ACCOUNTS", 2)
    admin = await people.create(permissions=["users:read", "users:write"])
    await create(client, await people.create(is_superuser=True))

    body = {"name": "One more"}
    answers = await asyncio.gather(*(client.post(SERVICE_ACCOUNTS, headers=admin.headers, json=body) for _ in range(5)))

    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]
    response = await client.post(SERVICE_ACCOUNTS, headers=admin.headers, json=body)
    assert is_refused(response, 409, "conflict")
