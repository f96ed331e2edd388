"""Names that would be taken for the service itself cannot be had, and look taken."""

from typing import Any

import httpx
import pytest

from app.config import Settings
from tests.domain.accounts.answers import ME, USERS
from tests.support.apps import Deployment, client_of
from tests.support.people import PASSWORD, People, Person

REGISTER = "/api/v1/auth/register"
NAMES = [
    "admin",
    "ROOT",
    "Support",
    "administrator",
    "system",
    "security",
    "help",
    "api",
    "".join(filter(str.isalnum, Settings().product_name)),
    "\uff41dmin",
    "a.dmin",
    "no_reply",
]


def refusal(response: httpx.Response) -> tuple[int, dict[str, Any]]:
    problem = response.json()
    return response.status_code, {key: problem[key] for key in ("code", "detail", "errors")}


@pytest.mark.caller("superuser")
@pytest.mark.parametrize("name", NAMES)
async def test_no_way_gives_a_reserved_name(
    calls: httpx.AsyncClient, client: httpx.AsyncClient, people: People, name: str
) -> None:
    other = await people.create(username="countess")
    account = {"email": "ada@example.com", "password": PASSWORD}
    taken = await client.post(REGISTER, json={**account, "username": "Countess"})

    refused = [
        await client.post(REGISTER, json={**account, "username": name}),
        await calls.post(USERS, json={**account, "username": name}),
        await calls.patch(f"{USERS}/{other.id}", json={"username": name}),
        await calls.patch(ME, json={"username": name}),
    ]

    if name.isascii():
        assert [refusal(each) for each in refused] == [refusal(taken)] * 4
    else:
        assert {each.status_code for each in refused} <= {409, 422}
    allowed = await client.post(REGISTER, json={**account, "username": "adm1n"})
    assert (allowed.status_code, allowed.json()["username"]) == (201, "adm1n")


async def test_a_reserved_name_says_nothing_of_the_address(deployment: Deployment) -> None:
    app = await deployment.start(REQUIRE_VERIFIED_EMAIL="true")
    person: Person = await People(app).create()
    async with client_of(app) as client:
        answers = [
            await client.post(REGISTER, json={"email": email, "password": PASSWORD, "username": "admin"})
            for email in (person.email, "free@example.com")
        ]

    assert refusal(answers[0]) == refusal(answers[1])
    assert answers[0].status_code == 409


async def test_who_had_the_name_before_keeps_it(people: People) -> None:
    person = await people.create(username="admin")
    async with people.client(person) as calls:
        response = await calls.patch(ME, json={"username": "admin", "name": "Ada"})

    assert (response.status_code, response.json()["name"]) == (200, "Ada")
