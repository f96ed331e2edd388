"""Limits on guessing passwords [ASVS 6.3.1]."""

import asyncio

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from tests.domain.auth.steps import (
    LOGIN,
    STRANGER,
    a_few_at_a_time,
    audited,
    change_user,
    full_queue,
    refresh,
    shown,
    sign_in,
    sign_in_from,
    warm,
)
from tests.support.apps import ADDRESS, Deployment, client_of
from tests.support.people import People

pytestmark = [pytest.mark.asvs("6.3.1"), pytest.mark.usefixtures("clock")]


@pytest_asyncio.fixture
async def app(app: Litestar) -> Litestar:
    await warm(app)
    return app


def refused(response: httpx.Response) -> bool:
    """Whether it is a complete 429."""
    if response.status_code != 429:
        return False
    assert response.json()["code"] == "rate_limited"
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["cache-control"] == "no-store"
    return True


async def guess(app: Litestar, address: str, name: str) -> bool:
    """A wrong password; whether it was looked at."""
    response = await sign_in_from(app, address, name, "a wrong one")
    if response.status_code == 401:
        return True
    assert refused(response)
    return False


async def test_an_address_has_thirty_attempts_a_minute_and_thirty_refreshes_apart(
    app: Litestar, people: People
) -> None:
    person = await people.create()
    async with client_of(app, address=STRANGER) as client:
        for number in range(15):
            assert (await sign_in(client, f"unknown{number}", "a wrong one")).status_code == 401
            assert (await client.post("/api/v1/auth/register", json={})).status_code == 422
            assert (await refresh(client, "no token")).status_code == 401

        last = await sign_in(client, person.email)

    assert refused(last)
    assert last.headers["ratelimit-policy"] == '"default";q=600;w=60, "auth";q=30;w=60'
    assert '"auth";r=0;t=' in last.headers["ratelimit"]
    assert (await sign_in_from(app, ADDRESS, person.email)).status_code == 200


@pytest.mark.parametrize("path", [LOGIN, f"{LOGIN}/", f"/{LOGIN}", f"{LOGIN}?", LOGIN.upper(), "/api/v1/auth/./login"])
async def test_no_variant_of_the_path_has_a_counter_of_its_own(app: Litestar, path: str) -> None:
    async with client_of(app, address=STRANGER) as client:
        for _ in range(30):
            await client.post(LOGIN, json={})

        response = await client.post(f"http://testserver{path}", json={})

    assert response.status_code in {404, 405, 429}


async def test_ten_wrong_passwords_from_an_address_lock_the_account_there(app: Litestar, people: People) -> None:
    person, other = await people.create(), await people.create()

    assert [await guess(app, STRANGER, person.email) for _ in range(12)] == [True] * 10 + [False] * 2

    locked_out = await sign_in_from(app, STRANGER, person.email)
    assert refused(locked_out)
    assert '"sign_in.pair";r=0;t=' in locked_out.headers["ratelimit"]
    assert '"sign_in.pair";q=10;w=900' in locked_out.headers["ratelimit-policy"]
    assert (await sign_in_from(app, STRANGER, other.email)).status_code == 200
    assert (await sign_in_from(app, "198.51.100.10", person.email)).status_code == 200
    locked = await audited(app, "sign_in.locked_out")
    assert [(row.subject_id, row.address) for row in locked] == [(person.id, STRANGER)]
    assert locked[0].request_id
    assert len(await audited(app, "sign_in.failed")) == 9


async def test_parallel_guesses_do_not_slip_through(app: Litestar, people: People) -> None:
    person = await people.create()

    looked_at = await asyncio.gather(*(guess(app, STRANGER, person.email) for _ in range(16)))

    assert sum(looked_at) == 10


async def lock_by_strangers(app: Litestar, name: str) -> int:
    """Guesses from thirty addresses, two each; how many were looked at."""
    addresses = [f"198.51.100.{number % 30 + 100}" for number in range(60)]
    return sum(await a_few_at_a_time(guess(app, address, name) for address in addresses))


async def test_strangers_lock_an_account_but_not_its_owner_out(app: Litestar, people: People) -> None:
    person, unknown = await people.create(), "unknown@example.com"

    assert await lock_by_strangers(app, person.email) == 50
    assert await lock_by_strangers(app, unknown) == 50

    assert refused(await sign_in_from(app, STRANGER, person.email))
    assert refused(await sign_in_from(app, STRANGER, unknown))
    assert (await sign_in_from(app, ADDRESS, person.email)).status_code == 200
    assert not await guess(app, STRANGER, person.email)  # and that opens the account for no other client


async def test_the_owners_network_is_known_where_devices_change_their_address(app: Litestar, people: People) -> None:
    """As IPv6 devices do every day within their /64."""
    person = await people.create()
    assert (await sign_in_from(app, "2001:db8:1:1::a", person.email)).status_code == 200

    await lock_by_strangers(app, person.email)

    assert refused(await sign_in_from(app, "2001:db8:1:2::a", person.email))
    assert (await sign_in_from(app, "2001:db8:1:1::b", person.email)).status_code == 200


@pytest.mark.parametrize("address", ["", "testclient"])
async def test_a_client_without_an_address_is_always_a_stranger(app: Litestar, people: People, address: str) -> None:
    """All clients of a Unix socket look the same."""
    person = await people.create()
    assert (await sign_in_from(app, address, person.email)).status_code == 200

    await lock_by_strangers(app, person.email)

    assert refused(await sign_in_from(app, address, person.email))


async def test_an_ended_session_makes_its_address_a_strangers_again(app: Litestar, people: People) -> None:
    person = await people.create()
    async with people.client(person) as client:
        assert (await client.post("/api/v1/auth/logout")).status_code == 204

    await lock_by_strangers(app, person.email)

    assert refused(await sign_in_from(app, ADDRESS, person.email))


async def test_a_known_address_may_not_guess_without_end_either(app: Litestar, people: People) -> None:
    person = await people.create()

    assert [await guess(app, ADDRESS, person.email) for _ in range(12)] == [True] * 10 + [False] * 2


async def test_the_right_password_forgives_earlier_mistakes_at_that_address(app: Litestar, people: People) -> None:
    person = await people.create()

    for _ in range(2):
        assert all([await guess(app, STRANGER, person.email) for _ in range(9)])
        assert (await sign_in_from(app, STRANGER, person.email)).status_code == 200


async def test_an_account_that_may_not_sign_in_is_no_way_around(app: Litestar, people: People) -> None:
    person = await people.create()
    await change_user(app, person.id, is_active=False)

    assert [await guess(app, STRANGER, person.email) for _ in range(11)] == [True] * 10 + [False]
    assert refused(await sign_in_from(app, STRANGER, person.email))


@pytest.mark.parametrize(
    "spellings",
    [
        pytest.param(
            ["ada@b\u00fccher.example", "ADA@xn--bcher-kva.example", "\uff41da@bu\u0308cher.example"], id="mail"
        ),
        pytest.param(["ada@nowhere.example", " Ada@Nowhere.Example ", "\uff21DA@nowhere.example"], id="unknown mail"),
        pytest.param(["countess", "COUNTESS", "\uff23ountess"], id="username"),
        pytest.param(["stranger", "StranGer", " stranger\u2003"], id="unknown username"),
    ],
)
async def test_all_spellings_of_a_name_share_one_counter(app: Litestar, people: People, spellings: list[str]) -> None:
    await people.create(email="ada@b\u00fccher.example", username="Countess")

    looked_at = [await guess(app, STRANGER, spellings[number % 3]) for number in range(12)]

    assert looked_at == [True] * 10 + [False] * 2


async def test_the_address_and_the_username_of_an_account_share_one_counter(app: Litestar, people: People) -> None:
    person = await people.create(username="countess")
    names = [person.email, "Countess"]

    assert [await guess(app, STRANGER, names[number % 2]) for number in range(12)] == [True] * 10 + [False] * 2
    for _ in range(2):  # nor does one of them give the other one back
        assert refused(await sign_in_from(app, STRANGER, names.pop()))


async def test_addresses_of_one_ipv6_network_share_one_counter(app: Litestar) -> None:
    guesses = [await guess(app, f"2001:db8::{number:x}", "unknown") for number in range(11)]
    assert guesses == [True] * 10 + [False]

    attempts = [await guess(app, f"2001:db8:0:0:{number:x}::1", f"unknown{number}") for number in range(20)]
    assert attempts == [True] * 19 + [False]  # the eleven above were attempts of this network, too
    assert await guess(app, "2001:db8:0:1::1", "unknown")


@pytest.mark.parametrize("path", [LOGIN, "/api/v1/auth/register"])
async def test_networks_of_one_site_share_a_wider_limit(app: Litestar, path: str) -> None:
    """A /48 holds 65 536 networks of 30 attempts each."""

    async def attempt(address: str) -> int:
        async with client_of(app, address=address) as client:
            return (await client.post(path, json={})).status_code

    async def attempts(first: int, last: int) -> list[int]:
        return await a_few_at_a_time(attempt(f"2001:db8:7:{number:x}::1") for number in range(first, last))

    assert set(await attempts(0, 300)) == {422}
    assert set(await attempts(300, 305)) == {429}
    assert await attempt("2001:db8:8::1") == 422
    assert await attempt("192.0.2.1") == 422


async def test_one_network_does_not_use_up_the_limit_of_its_site(app: Litestar) -> None:
    for _ in range(400):
        async with client_of(app, address="2001:db8:7::1") as client:
            await client.post(LOGIN, json={})

    assert await guess(app, "2001:db8:7:1::1", "unknown")


async def test_an_ipv4_address_is_the_same_client_in_its_ipv6_form(app: Litestar) -> None:
    guesses = [await guess(app, "::ffff:192.0.2.1" if n % 2 else "192.0.2.1", "unknown") for n in range(11)]

    assert guesses == [True] * 10 + [False]


async def test_switched_off_nothing_is_limited(deployment: Deployment) -> None:
    app = await deployment.start(RATE_LIMIT_ENABLED="false")
    person = await People(app).create()

    async with client_of(app, address=STRANGER) as client:
        responses = await a_few_at_a_time(sign_in(client, person.email, "a wrong one") for _ in range(55))
        assert (await sign_in(client, person.email)).status_code == 200
        for _ in range(40):
            refreshed = await refresh(client, "no token")

    assert {response.status_code for response in responses} == {401}
    assert refreshed.status_code == 401
    assert "ratelimit" not in refreshed.headers
    assert "ratelimit-policy" not in refreshed.headers


@pytest.mark.asvs("6.3.8")
async def test_an_attempt_that_found_no_room_does_not_count(app: Litestar, people: People) -> None:
    """A full queue of hashes is 503, the same for all, and costs no attempt."""
    person = await people.create()

    async with full_queue(app):
        turned_away = [
            await sign_in_from(app, f"198.51.100.{number % 10}", name, "a wrong one")
            for number in range(55)
            for name in (person.email, "unknown@example.com")
        ]

    assert {response.status_code for response in turned_away} == {503}
    assert shown(turned_away[0]) == shown(turned_away[1])
    assert turned_away[0].json()["code"] == "unavailable"
    assert int(turned_away[0].headers["retry-after"]) >= 1
    assert await audited(app, "sign_in.failed") == []
    for name in (person.email, "unknown@example.com"):
        assert await guess(app, STRANGER, name)
        assert await guess(app, "198.51.100.1", name)


async def test_the_limits_of_one_account_are_not_anothers(app: Litestar, people: People) -> None:
    first = await people.create(email="ada@example.com")
    second = await people.create(email="ada@example.org")

    while await guess(app, STRANGER, first.email):
        pass

    assert (await sign_in_from(app, STRANGER, second.email)).status_code == 200
