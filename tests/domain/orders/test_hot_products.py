"""A product that is locked for long makes its own buyers wait, and no other request."""

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text

from app.core import Core
from app.lib.db.url import DatabaseURL
from tests.support.apps import client_of, core_of
from tests.support.people import PASSWORD, People
from tests.support.shop import API, Shop, order_body
from tests.support.waiting import until

MANY = 30


async def lock(core: Core, table: str, condition: str, stack: AsyncExitStack) -> None:
    """Locks a row from another connection until the stack is left; on SQLite that locks every table."""
    other = core.database.with_own_pool(1, "other")
    if other is core.database:
        other = type(core.database)(core.database.options)
    await other.start()
    stack.push_async_callback(other.close)
    unit = await stack.enter_async_context(other.independent())
    statement = f"UPDATE {table} SET version = version WHERE {condition}"  # noqa: S608 - by the tests below
    await unit.session.execute(text(statement))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.lib.db.uow.PATIENCE", 120.0)


@pytest.mark.usefixtures("patient")
async def test_buyers_of_a_locked_product_hold_up_no_one_else(
    app: Litestar, people: People, shop: Shop, database_url: DatabaseURL
) -> None:
    core = core_of(app)
    hot, cold = await shop.product(stock=MANY), await shop.product(stock=1_000)
    buyers = [await people.create() for _ in range(5)]
    ordered = await shop.order((hot["id"], 1))
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(people.client(each)) for each in buyers]
        async with AsyncExitStack() as locked:
            await lock(core, "products", f"sku = '{hot['sku']}'", locked)
            waiting = [
                asyncio.create_task(
                    clients[number % 5].post(
                        f"{API}/orders",
                        json=order_body((hot["id"], 1), *([(cold["id"], 1)] if number % 3 else [])),
                        headers={"Idempotency-Key": str(number)} if number % 2 else {},
                    )
                )
                for number in range(MANY)
            ]
            waiting.append(asyncio.create_task(shop.act(shop.buys, ordered, "cancel")))
            busy = 1 if database_url.is_sqlite else 2
            await until(lambda: checked_out(core) == busy, 60)

            assert (await shop.sells.get(f"{API}/products/{hot['id']}")).status_code == 200
            assert (await shop.boss.get(f"{API}/orders")).status_code == 200
            if not database_url.is_sqlite:  # which has one writer, and this one keeps it
                await others_write(app, shop, cold)
            assert checked_out(core) <= busy
            assert not all(each.done() for each in waiting)
        answers = await asyncio.gather(*waiting)

    assert {each.status_code for each in answers} <= {200, 201, 503}
    assert {each.status_code for each in answers} & {200, 201}
    assert all("retry-after" in each.headers for each in answers if each.status_code == 503)
    assert await shop.stock(hot) == MANY - sum(each.status_code == 201 for each in answers) - await shop_kept(
        shop, ordered
    )


def checked_out(core: Core) -> int:
    """Connections that write."""
    return int(core.database.engine.pool.checkedout())  # type: ignore[attr-defined] # of the pool that is used here


async def shop_kept(shop: Shop, order: dict[str, str]) -> int:
    return int((await shop.show(order))["status"] == "pending")


async def others_write(app: Litestar, shop: Shop, cold: dict[str, str]) -> None:
    for _ in range(3):
        assert (await shop.buys.post(f"{API}/orders", json=order_body((cold["id"], 1)))).status_code == 201
        async with client_of(app) as stranger:
            form = {"username": shop.customer.email, "password": PASSWORD}
            assert (await stranger.post(f"{API}/auth/login", data=form)).status_code == 200


async def test_a_rush_for_one_product_sells_every_piece(people: People, shop: Shop) -> None:
    hot = await shop.product(stock=MANY)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(people.client(await people.create())) for _ in range(10)]
        calls = [clients[number % 10].post(f"{API}/orders", json=order_body((hot["id"], 1))) for number in range(MANY)]
        answers = await asyncio.gather(*calls)

    assert {each.status_code for each in answers} == {201}
    assert await shop.stock(hot) == 0


@pytest.mark.usefixtures("patient")
async def test_many_repetitions_of_one_request_hold_two_connections(
    app: Litestar, shop: Shop, database_url: DatabaseURL
) -> None:
    """The first waits for the locked product, the others for the first, whose key they have."""
    core = core_of(app)
    hot, cold = await shop.product(), await shop.product()

    async def place(product: dict[str, str], key: str) -> httpx.Response:
        return await shop.buys.post(
            f"{API}/orders", json=order_body((product["id"], 1)), headers={"Idempotency-Key": key}
        )

    async with AsyncExitStack() as locked:
        await lock(core, "products", f"sku = '{hot['sku']}'", locked)
        waiting = [asyncio.create_task(place(hot, "same")) for _ in range(MANY)]
        await until(lambda: checked_out(core) >= 1, 60)
        if not database_url.is_sqlite:
            await others_write(app, shop, cold)
        assert checked_out(core) <= 2
    answers = await asyncio.gather(*waiting)

    created = {each.json()["id"] for each in answers if each.status_code == 201}
    assert len(created) == 1
    assert {each.status_code for each in answers} <= {201, 409, 503}
    assert await shop.stock(hot) == 9


@pytest.mark.usefixtures("patient")
async def test_changes_of_a_locked_order_hold_two_connections(
    app: Litestar, shop: Shop, database_url: DatabaseURL
) -> None:
    core = core_of(app)
    hot, cold = await shop.product(), await shop.product()
    order = await shop.order((hot["id"], 1))
    url = f"{API}/orders/{order['id']}"
    async with AsyncExitStack() as locked:
        await lock(core, "orders", f"id = '{order['id']}'", locked)
        verbs = ("cancel", "pay", "ship") * 5
        waiting = [
            asyncio.create_task(shop.act(shop.boss if each == "ship" else shop.buys, order, each)) for each in verbs
        ]
        waiting += [asyncio.create_task(shop.buys.patch(url, json={"notes": str(number)})) for number in range(15)]
        await until(lambda: checked_out(core) >= 1, 60)
        if not database_url.is_sqlite:
            await others_write(app, shop, cold)
        assert checked_out(core) <= 2
    answers = await asyncio.gather(*waiting)

    assert {each.status_code for each in answers} <= {200, 409, 503}
    assert 200 in {each.status_code for each in answers}
