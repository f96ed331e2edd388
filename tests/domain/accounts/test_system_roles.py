"""The role of those who register, and names that belong to the service."""

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.models import User
from app.lib.settings import ConfigurationError
from tests.domain.accounts.answers import ROLES, USERS, field_errors, is_refused, rows
from tests.support.apps import Deployment, client_of, settings_for
from tests.support.people import PASSWORD, People

REGISTER = "/api/v1/auth/register"


def registration(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD}


@pytest.mark.asvs("8.2.1")
@pytest.mark.parametrize("quietly", ["false", "true"])
async def test_who_registers_gets_the_default_role(deployment: Deployment, quietly: str) -> None:
    app = await deployment.start(DEFAULT_ROLE="member", REQUIRE_VERIFIED_EMAIL=quietly)
    people = People(app)
    await people.role("member", ["posts:write"])
    admin = await people.create(is_superuser=True)
    async with client_of(app, headers=admin.headers) as client:
        registered = await client.post(REGISTER, json=registration("ada@example.com"))
        created = await client.post(USERS, json=registration("bob@example.com"))
        listed = (await client.get(f"{USERS}?role=member")).json()["items"]

    assert registered.status_code == (202 if quietly == "true" else 201)
    assert [each["email"] for each in listed] == ["ada@example.com"]
    assert created.json()["roles"] == []
    if quietly == "false":
        assert registered.json() == listed[0]


@pytest.mark.asvs("8.2.1")
async def test_the_default_role_keeps_its_name_and_stays(deployment: Deployment) -> None:
    app = await deployment.start(DEFAULT_ROLE="member")
    people = People(app)
    admin = await people.create(is_superuser=True)
    async with client_of(app, headers=admin.headers) as client:
        # While it is missing, registration works and gives none.
        assert (await client.post(REGISTER, json=registration("ada@example.com"))).json()["roles"] == []
        created = await client.post(ROLES, json={"name": "member"})
        other = await client.post(ROLES, json={"name": "guest"})
        url = f"{ROLES}/{created.json()['id']}"
        assert created.status_code == 201
        assert is_refused(await client.patch(url, json={"name": "members"}), 409, "invalid_state")
        assert is_refused(await client.delete(url), 409, "invalid_state")
        renamed = await client.patch(f"{ROLES}/{other.json()['id']}", json={"name": "member"})
        assert is_refused(renamed, 409, "invalid_state")
        assert (await client.patch(url, json={"name": "member", "permissions": ["users:read"]})).status_code == 200
        assert (await client.post(REGISTER, json=registration("bob@example.com"))).json()["roles"] == ["member"]
        assert (await client.delete(f"{ROLES}/{other.json()['id']}")).status_code == 204


@pytest.mark.asvs("8.2.1")
@pytest.mark.caller("superuser")
async def test_names_of_the_service_cannot_be_taken(app: Litestar, calls: httpx.AsyncClient) -> None:
    for name in ("superuser", "super-user", "super_user", "system", "anonymous", "every-one"):
        assert is_refused(await calls.post(ROLES, json={"name": name}), 409, "invalid_state")
    editor = (await calls.post(ROLES, json={"name": "editor"})).json()
    response = await calls.patch(f"{ROLES}/{editor['id']}", json={"name": "super-user"})
    assert is_refused(response, 409, "invalid_state")
    for name in (
        "SuperUser",
        "superuser\n",
        " superuser",
        "\u0455uperuser",
        "superu\u200bser",
        "ﬆaff",
        "SUPERUSER",
        "sup\u00e9r",
    ):
        assert field_errors(await calls.post(ROLES, json={"name": name})) == {"/name": "invalid_format"}
    assert await rows(app, User, User.is_superuser) != []


@pytest.mark.parametrize("name", ["superuser", "super-user", "Member", "a", "mem ber", "member\u200b"])
def test_a_default_role_is_the_name_of_a_role(deployment: Deployment, name: str) -> None:
    with pytest.raises(ConfigurationError, match="DEFAULT_ROLE"):
        settings_for(deployment.url, DEFAULT_ROLE=name)
