"""Limits that several workers count together, and whose address it is that they count [ASVS 6.3.1]."""

import asyncio

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from tests.domain.auth.steps import (
    LOGIN,
    STRANGER,
    audited,
    refresh,
    sign_in,
    sign_in_from,
    warm,
)
from tests.support.apps import Deployment, client_of
from tests.support.people import PASSWORD, People
from tests.support.waiting import PATIENCE

pytestmark = [pytest.mark.asvs("6.3.1"), pytest.mark.usefixtures("clock")]

PROXY = "10.0.0.5"


@pytest_asyncio.fixture
async def apps(deployment: Deployment) -> tuple[Litestar, Litestar]:
    apps = await deployment.start(), await deployment.start()
    await warm(*apps)
    return apps


async def test_attempts_at_an_account_are_counted_by_all_workers_together(apps: tuple[Litestar, Litestar]) -> None:
    person = await People(apps[0]).create()

    responses = [await sign_in_from(apps[n % 2], STRANGER, person.email, "a wrong one") for n in range(12)]

    assert [response.status_code for response in responses] == [401] * 10 + [429] * 2


async def test_parallel_attempts_at_two_workers_do_not_slip_through(apps: tuple[Litestar, Litestar]) -> None:
    person = await People(apps[0]).create()

    responses = await asyncio.gather(
        *(sign_in_from(apps[n % 2], STRANGER, person.email, "a wrong one") for n in range(16))
    )

    assert sorted(response.status_code for response in responses) == [401] * 10 + [429] * 6


async def test_attempts_of_an_address_are_counted_by_all_workers_together(apps: tuple[Litestar, Litestar]) -> None:

    responses: list[httpx.Response] = []
    for number in range(31):
        async with client_of(apps[number % 2], address=STRANGER) as client:
            responses.append(await client.post(LOGIN, json={"username": f"unknown{number}"}))

    assert [response.status_code for response in responses] == [422] * 30 + [429]


async def test_counting_in_the_database_and_working_in_it_do_not_wait_for_each_other(
    apps: tuple[Litestar, Litestar],
) -> None:
    """SQLite has one writer, for which counters, audit log and sessions compete."""
    maker = People(apps[0])
    people = [await maker.create() for _ in range(6)]

    async def everything(number: int) -> list[int]:
        app, person = apps[number % 2], people[number % 6]
        async with client_of(app, address=f"198.51.100.{number}") as client:
            body = {"email": f"new{number % 8}@example.com", "password": PASSWORD, "username": f"user-{number % 4}"}
            return [
                (await sign_in(client, person.email)).status_code,
                (await sign_in(client, person.email, "a wrong one")).status_code,
                (await client.post("/api/v1/auth/register", json=body)).status_code,
                (await refresh(client, person.refresh_token)).status_code,
            ]

    async with asyncio.timeout(PATIENCE):
        statuses = await asyncio.gather(*(everything(number) for number in range(24)))

    assert [row[:2] for row in statuses] == [[200, 401]] * 24
    assert sorted(row[2] for row in statuses) == [201] * 4 + [409] * 20
    assert [row[3] for row in statuses] == [200] * 24


async def attempt_through(app: Litestar, peer: str, *forwarded: str) -> httpx.Response:
    """A sign-in that ``peer`` hands on."""
    headers = [("X-Forwarded-For", value) for value in forwarded]
    async with client_of(app, address=peer) as client:
        body = {"username": "unknown", "password": "a wrong one"}
        return await client.post(LOGIN, data=body, headers=httpx.Headers([*client.headers.multi_items(), *headers]))


async def counted_addresses(app: Litestar) -> list[str | None]:
    return [row.address for row in await audited(app, "sign_in.failed")]


ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""The database has no part in whose address counts."""


@ON_SQLITE
async def test_without_trusted_proxies_forwarding_headers_count_for_nothing(deployment: Deployment) -> None:
    app = await deployment.start()

    for number in range(10):
        await attempt_through(app, STRANGER, f"192.0.2.{number}")
    last = await attempt_through(app, STRANGER, "192.0.2.99")

    assert last.status_code == 429
    assert set(await counted_addresses(app)) == {STRANGER}


HOPS: list[tuple[list[str], str | None]] = [
    (["192.0.2.1"], "192.0.2.1"),
    (["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
    (["6.6.6.6", "192.0.2.1"], "192.0.2.1"),
    (["6.6.6.6, 192.0.2.1, 10.0.0.9"], "192.0.2.1"),
    (["6.6.6.6,192.0.2.1", "10.0.0.9,10.0.0.8"], "192.0.2.1"),
    (["2001:DB8:0::1"], "2001:db8::1"),
    ([], PROXY),
    ([""], PROXY),
    (["10.0.0.9"], "10.0.0.9"),
    (["192.0.2.1, unknown"], None),
    (["192.0.2.1, " + "x" * 5_000], None),
    (["192.0.2.1, fe80::1%" + "x" * 5_000], None),
    (["192.0.2.2:4711"], "192.0.2.2"),
    (["192.0.2.2:4711, 10.0.0.9:80, [::ffff:10.0.0.8]:80"], "192.0.2.2"),
    (["[2001:db8::1]:443"], "2001:db8::1"),
    (["[2001:db8::1], ::ffff:10.0.0.9"], "2001:db8::1"),
    (["::ffff:192.0.2.2, 2001:db8:5::77"], "192.0.2.2"),
    (["64:ff9b::192.0.2.2"], "192.0.2.2"),
    (["fe80::1%eth0"], "fe80::1"),
    ([",192.0.2.2,, "], "192.0.2.2"),
    (["6.6.6.6, 192.0.2.2:port"], None),
    (["[10.0.0.9]:80"], "10.0.0.9"),
]


@ON_SQLITE
async def test_a_trusted_proxy_is_asked_for_the_right_most_hop_that_is_not_one(deployment: Deployment) -> None:
    app = await deployment.start(TRUSTED_PROXIES="10.0.0.5/8,127.0.0.1,2001:db8:5::1/64")

    for forwarded, client in HOPS:
        response = await attempt_through(app, PROXY, *forwarded)

        assert response.status_code == 401
        assert (forwarded, (await counted_addresses(app))[-1]) == (forwarded, client)


@pytest.mark.parametrize("spelling", ["{0}:40001", "::ffff:{0}", "[::ffff:{0}]:40001", "64:ff9b::{0}", "{0}, [::1]:1"])
async def test_clients_behind_a_proxy_are_counted_one_by_one(deployment: Deployment, spelling: str) -> None:
    app = await deployment.start(TRUSTED_PROXIES=f"{PROXY},::1")

    one = [await attempt_through(app, PROXY, spelling.format("192.0.2.1")) for _ in range(11)]
    plain = await attempt_through(app, f"::ffff:{PROXY}", "192.0.2.1")
    direct = await attempt_through(app, "::ffff:192.0.2.1")
    other = await attempt_through(app, PROXY, spelling.format("192.0.2.2"))

    assert [response.status_code for response in one] == [401] * 10 + [429]
    assert [response.status_code for response in (plain, direct, other)] == [429, 429, 401]


@ON_SQLITE
async def test_only_a_trusted_proxy_speaks_for_its_clients_and_by_one_header(deployment: Deployment) -> None:
    app = await deployment.start(TRUSTED_PROXIES=PROXY)

    spoofed = [await attempt_through(app, PROXY, f"192.0.2.{number}, 198.51.100.1") for number in range(11)]
    other = await attempt_through(app, PROXY, "198.51.100.2")
    await attempt_through(app, "10.0.0.6", "192.0.2.1")
    async with client_of(app, address=PROXY) as client:
        body = {"username": "unknown", "password": "a wrong one"}
        for header in ("Forwarded", "X-Real-IP", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP"):
            await client.post(LOGIN, data=body, headers={header: "for=192.0.2.1"})

    assert [response.status_code for response in spoofed] == [401] * 10 + [429]
    assert other.status_code == 401
    assert (await counted_addresses(app))[-7:] == ["198.51.100.2", "10.0.0.6", *[PROXY] * 5]
