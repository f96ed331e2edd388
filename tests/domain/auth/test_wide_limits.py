"""Limits on what many clients do together, and on one who tries many accounts [ASVS 6.3.1]."""

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from tests.domain.auth.steps import (
    FORGOT,
    REGISTER,
    SEND_CODE,
    STRANGER,
    VERIFY,
    a_few_at_a_time,
    refresh,
    sign_in_from,
    warm,
)
from tests.support.apps import ADDRESS, Deployment, client_of
from tests.support.people import PASSWORD, People

pytestmark = [pytest.mark.asvs("6.3.1"), pytest.mark.usefixtures("clock")]

FEW = {"RATE_LIMIT_WRONG_PASSWORDS": "12/hour", "RATE_LIMIT_WRONG_PASSWORDS_TOGETHER": "150/minute"}


@pytest_asyncio.fixture
async def app(deployment: Deployment) -> Litestar:
    """With limits that a test can reach."""
    app = await deployment.start(**FEW, RATE_LIMIT_AUTH="1000/minute")
    await warm(app)
    return app


async def guesses(app: Litestar, addresses: list[str], names: list[str] | None = None) -> int:
    """Wrong passwords at one account after the other; how many were looked at."""
    names = names or [f"account{number}@example.com" for number in range(len(addresses))]
    calls = (sign_in_from(app, address, name, "a wrong one") for address, name in zip(addresses, names, strict=True))
    statuses = [response.status_code for response in await a_few_at_a_time(calls)]
    assert set(statuses) <= {401, 429}
    return statuses.count(401)


async def test_one_address_cannot_try_many_accounts_but_its_known_devices_sign_in(app: Litestar) -> None:
    people = People(app)
    person, other = await people.create(), await people.create()
    await sign_in_from(app, STRANGER, other.email)

    assert await guesses(app, [STRANGER] * 20) == 12

    refused = await sign_in_from(app, STRANGER, person.email)
    assert refused.status_code == 429
    assert '"sign_in.address";q=12;w=3600' in refused.headers["ratelimit-policy"]
    assert (await sign_in_from(app, "198.51.100.10", person.email)).status_code == 200
    assert (await sign_in_from(app, STRANGER, other.email)).status_code == 200  # has a session from there


async def test_mistakes_of_one_person_lock_no_colleague_behind_the_same_address_out(app: Litestar) -> None:
    people = People(app)
    person, colleague = await people.create(), await people.create()

    assert await guesses(app, [STRANGER] * 30, [person.email] * 30) == 10

    assert (await sign_in_from(app, STRANGER, colleague.email)).status_code == 200
    assert (await sign_in_from(app, STRANGER, colleague.email)).status_code == 200


@pytest.mark.parametrize("network", ["2001:db8:7:{:x}::1", "192.0.2.{}"])
async def test_a_network_that_changes_its_addresses_is_bounded(app: Litestar, network: str) -> None:
    assert await guesses(app, [network.format(number) for number in range(1, 131)]) == 120

    assert await guesses(app, ["203.0.113.200"]) == 1


async def test_everyone_together_is_bounded_and_known_devices_sign_in(app: Litestar) -> None:
    person = await People(app).create()

    assert await guesses(app, [f"198.18.{number}.1" for number in range(160)]) == 150

    assert (await sign_in_from(app, "198.18.200.1", person.email)).status_code == 429
    assert (await sign_in_from(app, ADDRESS, person.email)).status_code == 200


async def test_limits_survive_a_restart(deployment: Deployment) -> None:
    app = await deployment.start(**FEW)
    person = await People(app).create()
    assert await guesses(app, [STRANGER] * 11, [person.email] * 11) == 10

    again = await deployment.start(**FEW)

    assert (await sign_in_from(again, STRANGER, person.email)).status_code == 429


async def test_asking_for_mails_and_guessing_codes_is_bounded_for_an_address_and_its_network(app: Litestar) -> None:
    async def refused(path: str, addresses: list[str], **body: str) -> int:
        """How many asked in vain."""

        async def ask(number: int, address: str) -> httpx.Response:
            async with client_of(app, address=address) as client:
                return await client.post(path, json={"email": f"nowhere{number}@example.com", **body})

        responses = await a_few_at_a_time(ask(number, address) for number, address in enumerate(addresses))
        return [response.status_code for response in responses].count(429)

    assert await refused(FORGOT, [STRANGER] * 103) == 3
    assert await refused(SEND_CODE, ["2001:db8::1"] * 103) == 3
    assert await refused(VERIFY, [STRANGER] * 103, code="123456", password=PASSWORD) == 3
    assert await refused(REGISTER, [STRANGER] * 103, password="short") == 0  # it was refused before it counted


async def test_a_session_is_refreshed_at_most_three_hundred_times_an_hour(app: Litestar) -> None:
    person = await People(app).create()
    token, other = person.refresh_token, await People(app).sign_in(person.id, person.email)
    async with client_of(app) as client:
        for _ in range(300):
            response = await refresh(client, token)
            token = response.json()["refresh_token"]

        refused = await refresh(client, token)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert (await refresh(client, other.refresh_token)).status_code == 200
