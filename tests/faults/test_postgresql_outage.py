"""PostgreSQL goes away while the service runs, in every way in which a server can go away."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlalchemy import text, update

from app.domain.accounts.models import User
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from tests.faults.answers import assert_unavailable
from tests.faults.conftest import Service, service_on
from tests.support.apps import client_of, core_of, forget, running_app
from tests.support.proxy import Proxy
from tests.support.waiting import PATIENCE, until

Call = Callable[[Service], Awaitable[httpx.Response]]

CALLS: dict[str, Call] = {
    "read": Service.read,
    "write": Service.write,
    "sign in": Service.sign_in,
    "register": Service.register,
    "refresh": Service.refresh,
}


@pytest.mark.parametrize("name", CALLS)
async def test_while_the_server_refuses_connections_the_answer_is_503(
    proxy: Proxy, service: Service, name: str
) -> None:
    call = CALLS[name]
    assert (await service.read()).status_code == 200
    assert (await service.write()).status_code == 200

    await proxy.cut()
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            assert_unavailable(await call(service))
    assert await service.is_alive()
    assert await service.readiness() == (503, ["database"])

    await proxy.restore()
    assert (await call(service)).status_code in {200, 201}
    assert await service.readiness() == (200, [])


async def test_connections_that_were_cut_cost_no_request_its_answer(proxy: Proxy, service: Service) -> None:
    """Each is replaced before it is used."""
    await asyncio.gather(*(service.read() for _ in range(6)), *(service.write() for _ in range(6)))
    opened = proxy.connections
    assert opened >= 2

    proxy.drop()
    await until(lambda: proxy.connections == 0)

    answers = await asyncio.gather(*(service.read() for _ in range(6)), *(service.write() for _ in range(6)))
    assert [answer.status_code for answer in answers] == [200] * 12


async def test_a_terminated_session_of_the_server_costs_at_most_one_answer(
    on_postgresql: DatabaseURL, service: Service
) -> None:
    await service.write()
    async with running_app(on_postgresql) as other, core_of(other).database.engine.begin() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    for call in (service.read, service.write):
        first, second = await call(), await call()
        assert first.status_code in {200, 503}
        assert second.status_code == 200


async def test_behind_a_black_hole_every_request_is_answered_in_time(proxy: Proxy, service: Service) -> None:
    await asyncio.gather(service.read(), service.write(), service.read(), service.write())

    proxy.hush()
    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(*(call(service) for call in CALLS.values()))
        assert await service.is_alive()
    for answer in answers:
        assert_unavailable(answer)

    await proxy.restore()
    async with asyncio.timeout(PATIENCE):
        for call in CALLS.values():
            assert (await call(service)).status_code in {200, 201}


async def test_readiness_does_not_wait_for_a_black_hole(proxy: Proxy, service: Service) -> None:
    await service.read()
    proxy.hush()

    async with asyncio.timeout(PATIENCE):
        assert await service.readiness() == (503, ["database"])

    await proxy.restore()
    assert await service.readiness() == (200, [])


async def test_a_database_that_comes_later_is_waited_for(proxy: Proxy) -> None:
    await proxy.cut()
    async with running_app(proxy.url) as app, client_of(app) as client:
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 503
        account = {"email": "early@example.com", "password": "a fine day to sail"}
        assert_unavailable(await client.post("/api/v1/auth/register", json=account))

        await proxy.restore()
        await forget(app)

        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.post("/api/v1/auth/register", json=account)).status_code == 201


async def test_a_request_that_was_cut_in_the_middle_leaves_nothing(
    on_postgresql: DatabaseURL, proxy: Proxy, service: Service
) -> None:
    """It waits for a lock that the test holds, and the connection breaks in the meantime."""
    direct = Database(DatabaseOptions(url=on_postgresql))
    async with direct.independent() as holder:
        await holder.session.execute(update(User).values(locale="de"))
        before = proxy.connections
        task = asyncio.create_task(service.write("Lost"))
        await until(lambda: proxy.connections > before)
        await asyncio.sleep(0.3)
        proxy.drop()
        assert_unavailable(await task)
        await holder.rollback()
    await direct.close()

    answer = await service.read()
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["version"]) == (None, 1)


async def test_a_request_that_waits_for_a_row_too_long_gets_503(on_postgresql: DatabaseURL) -> None:
    async with service_on(on_postgresql) as service:
        async with service.core.database.independent() as holder:
            await holder.session.execute(update(User).values(locale="de"))
            async with asyncio.timeout(PATIENCE):
                assert_unavailable(await service.write())
            await holder.rollback()

        assert (await service.write()).status_code == 200


async def test_a_full_pool_gives_503_and_leaks_no_connection(on_postgresql: DatabaseURL) -> None:
    async with service_on(on_postgresql, DATABASE_POOL_SIZE="1") as service:
        async with service.core.database.independent() as holder:
            await holder.session.execute(text("SELECT 1"))
            async with asyncio.timeout(PATIENCE):
                answers = await asyncio.gather(*(service.write() for _ in range(5)))
        for answer in answers:
            assert_unavailable(answer)

        answers = await asyncio.gather(*(service.write() for _ in range(5)))
        assert [answer.status_code for answer in answers].count(200) >= 1
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert b'database_pool_size{access="write",pool="requests"} 1.0' in await service.core.metrics.scrape()
        assert (await service.read()).status_code == 200
