"""What one user may reserve without paying: how many orders, how many pieces, for how long."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import httpx
import pytest

from tests.support.apps import Deployment, client_of
from tests.support.counting import counted_statements
from tests.support.people import People, Person
from tests.support.shop import API, Shop, open_shop, order_body

ORDERS = f"{API}/orders"
DEFAULTS = {"ORDER_MAX_OPEN": "5", "ORDER_MAX_OPEN_PIECES": "100"}


async def place(calls: httpx.AsyncClient, product: str, quantity: int = 1) -> httpx.Response:
    return await calls.post(ORDERS, json=order_body((product, quantity)))


def is_refused(answer: httpx.Response) -> bool:
    if answer.status_code == 201:
        return False
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_open_orders"), answer.text
    return True


async def test_five_unpaid_orders_are_the_most(deployment: Deployment) -> None:
    app = await deployment.start(**DEFAULTS)
    async with open_shop(app, People(app)) as shop:
        product = await shop.product(stock=100)
        placed = [await place(shop.buys, product["id"]) for _ in range(5)]
        assert [each.status_code for each in placed] == [201] * 5

        assert is_refused(await place(shop.buys, product["id"]))
        assert await shop.stock(product) == 95, "what is refused reserves nothing"

        assert (await shop.act(shop.buys, placed[0].json(), "pay")).status_code == 200
        assert not is_refused(await place(shop.buys, product["id"]))
        assert is_refused(await place(shop.buys, product["id"]))
        assert (await shop.act(shop.buys, placed[1].json(), "cancel")).status_code == 200
        assert not is_refused(await place(shop.buys, product["id"]))


async def test_zero_is_no_limit_and_asks_less(deployment: Deployment) -> None:
    app = await deployment.start(ORDER_MAX_OPEN="0", ORDER_MAX_OPEN_PIECES="1")
    async with open_shop(app, People(app)) as shop:
        product = await shop.product(stock=100)
        with counted_statements(app) as statements:
            placed = [await place(shop.buys, product["id"], 2) for _ in range(7)]

    assert [each.status_code for each in placed] == [201] * 7
    assert not any("count(" in each for each in statements)


async def test_a_hundred_pieces_are_the_most(deployment: Deployment) -> None:
    app = await deployment.start(**DEFAULTS)
    async with open_shop(app, People(app)) as shop:
        mug, pen = [(await shop.product(stock=1_000))["id"] for _ in range(2)]
        assert is_refused(await shop.buys.post(ORDERS, json=order_body((mug, 60), (pen, 41))))
        assert (await shop.buys.post(ORDERS, json=order_body((mug, 60), (pen, 39)))).status_code == 201
        assert is_refused(await place(shop.buys, mug, 2))
        assert not is_refused(await place(shop.buys, mug, 1))


async def test_it_holds_for_fifty_requests_at_once_to_two_apps(deployment: Deployment) -> None:
    apps = [await deployment.start(**DEFAULTS) for _ in range(2)]
    people = People(apps[0])
    async with open_shop(apps[0], people) as shop:
        product = await shop.product(stock=1_000)
        clients = [client_of(app, headers=shop.customer.headers) for app in apps]
        answers = await asyncio.gather(*(place(clients[n % 2], product["id"], 30) for n in range(50)))
        for each in clients:
            await each.aclose()

        assert Counter(is_refused(each) for each in answers) == {False: 3, True: 47}  # the fourth would make 120 pieces
        assert await shop.stock(product) == 1_000 - 90
        other = await people.create()
        async with people.client(other) as calls:
            assert not is_refused(await place(calls, product["id"]))


@pytest.mark.parametrize(("is_verified", "minutes"), [(False, 10), (True, 30)])
async def test_who_has_no_verified_address_has_less_time_to_pay(
    shop: Shop, people: People, is_verified: bool, minutes: int
) -> None:
    product = await shop.product()
    customer: Person = await people.create(is_verified=is_verified)
    async with people.client(customer) as calls:
        order = (await place(calls, product["id"])).json()
    placed, expires = (datetime.fromisoformat(order[each]) for each in ("created_at", "expires_at"))
    assert expires - placed == timedelta(minutes=minutes)


async def test_it_costs_two_statements(deployment: Deployment) -> None:
    app = await deployment.start(**DEFAULTS)
    async with open_shop(app, People(app)) as shop:
        product = await shop.product()
        with counted_statements(app) as seen:
            assert not is_refused(await place(shop.buys, product["id"]))
    counting = [each for each in seen if "is_verified" in each or "count(" in each]
    assert len(counting) == 2
