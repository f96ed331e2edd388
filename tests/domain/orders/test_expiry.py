"""Orders that are not paid in time, and orders of deleted accounts."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from app.domain.orders.jobs import expire_orders
from app.domain.orders.models import Order
from app.lib.clock import utc_now
from app.lib.db.instants import database_now_plus
from tests.support.apps import client_of, core_of
from tests.support.people import People
from tests.support.shop import API, Shop, expiry

SOON = timedelta(minutes=31)


async def test_an_order_that_is_not_paid_expires_and_gives_its_stock_back(shop: Shop) -> None:
    product = await shop.product(stock=10)
    order = await shop.order((product["id"], 4))
    placed, expires = (datetime.fromisoformat(order[each]) for each in ("created_at", "expires_at"))

    early = await expiry(shop.app).expire_orders()
    late = await expiry(shop.app).expire_orders(utc_now() + SOON)

    assert expires - placed == timedelta(minutes=10), "the address is not verified"
    assert (early, late) == (0, 1)
    assert (await shop.show(order))["status"] == "cancelled"
    assert await shop.timeline(order) == ["placed", "expired"]
    assert await shop.stock(product) == 10


async def test_what_is_paid_does_not_expire(shop: Shop) -> None:
    product = await shop.product()
    order = await shop.paid((product["id"], 4))

    assert await expiry(shop.app).expire_orders(utc_now() + SOON) == 0
    assert (await shop.show(order))["status"] == "paid"


async def test_an_order_past_its_time_cannot_be_paid_before_it_is_cancelled(shop: Shop) -> None:
    product = await shop.product(stock=10)
    order = await shop.order((product["id"], 1))
    await pass_its_time(shop)

    late = await shop.act(shop.buys, order, "pay")

    assert (late.status_code, late.json()["code"], late.json()["allowed"]) == (409, "invalid_state", ["cancel"])
    assert "expired" in late.json()["detail"]
    assert await shop.rows("SELECT id FROM order_payments") == []
    assert await expiry(shop.app).expire_orders() == 1
    assert await shop.stock(product) == 10


async def pass_its_time(shop: Shop) -> None:
    """The time to pay ended a second ago for every order, by the clock of the database."""
    async with core_of(shop.app).database.independent() as unit:
        await unit.session.execute(update(Order).values(expires_at=database_now_plus(-1.0)))


async def test_workers_that_expire_orders_at_once_give_stock_back_once(shop: Shop) -> None:
    product = await shop.product(stock=10)
    for _ in range(5):
        await shop.order((product["id"], 1))
    keeper, later = expiry(shop.app), utc_now() + SOON

    counts = await asyncio.gather(*(keeper.expire_orders(later) for _ in range(3)))

    assert sum(counts) == 5
    assert await shop.stock(product) == 10


async def test_paying_at_the_last_moment_or_expiring_is_one_of_both(shop: Shop) -> None:
    product = await shop.product(stock=10)
    order = await shop.order((product["id"], 1))

    paid, expired = await asyncio.gather(
        shop.act(shop.buys, order, "pay"), expiry(shop.app).expire_orders(utc_now() + SOON)
    )

    assert (paid.status_code, expired) in {(200, 0), (409, 1)}
    assert await shop.stock(product) == (9 if paid.is_success else 10)


def test_expiring_runs_on_a_schedule() -> None:
    assert expire_orders.schedule is not None


@pytest.mark.parametrize("is_paid", [False, True])
async def test_orders_stay_when_the_account_is_deleted(shop: Shop, people: People, *, is_paid: bool) -> None:
    product = await shop.product()
    order = await shop.order((product["id"], 1), notes="I live next door.")
    if is_paid:
        await shop.act(shop.buys, order, "pay")
    boss = await people.create(is_superuser=True)
    async with client_of(shop.app, headers=boss.headers) as client:
        gone = await client.delete(f"{API}/users/{shop.customer.id}")

    left = await shop.show(order)

    assert gone.status_code == 204
    assert (left["customer_id"], left["notes"], left["total"]) == (None, None, order["total"])
    assert left["version"] > order["version"]
