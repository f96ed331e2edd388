"""Placing orders: whose, of what, for how much, and never of what is not there."""

import asyncio
import re
from collections import Counter

import httpx
import pytest
from litestar import Litestar

from tests.support.counting import counted_statements
from tests.support.people import People
from tests.support.shop import API, Shop, order_body

MANY = 200
PIECES = 50


async def test_an_order_has_what_the_server_knows(shop: Shop) -> None:
    mug = await shop.product(amount="19.90", name="Mug")
    pen = await shop.product(amount="0.10")

    answer = await shop.buys.post(f"{API}/orders", json=order_body((mug["id"], 3), (pen["id"], 7), notes="Ring twice."))

    order = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/orders/{order['id']}"
    assert answer.headers["etag"] == '"1"'
    assert (order["status"], order["customer_id"], order["notes"]) == ("pending", str(shop.customer.id), "Ring twice.")
    assert order["total"] == {"amount": "60.40", "currency": "EUR"}
    assert order["items"][0] == {
        "product_id": mug["id"],
        "sku": mug["sku"],
        "name": "Mug",
        "quantity": 3,
        "unit_price": {"amount": "19.90", "currency": "EUR"},
        "total": {"amount": "59.70", "currency": "EUR"},
        "refunded_quantity": 0,
    }
    assert [await shop.stock(each) for each in (mug, pen)] == [7, 3]
    assert (await shop.buys.get(answer.headers["location"])).json() == order
    assert await shop.timeline(order) == ["placed"]


async def test_the_number_is_found_everywhere_and_gives_no_rights(shop: Shop, people: People) -> None:
    product = await shop.product()
    first, second = [await shop.order((product["id"], 1)) for _ in range(2)]
    numbers = [first["number"], second["number"]]

    found = await shop.buys.get(f"{API}/orders", params={"number": numbers, "sort": "created_at"})
    wrong = await shop.buys.get(f"{API}/orders", params={"number": 0})
    csv = (await shop.boss.get(f"{API}/orders/export", params={"number": numbers[1]})).text.splitlines()
    [stored] = await shop.rows(f"SELECT payload FROM events WHERE payload LIKE '%{second['id']}%'")  # noqa: S608 - ours
    async with people.client(await people.create()) as stranger:
        theirs = (await stranger.get(f"{API}/orders", params={"number": numbers[0]})).json()
        by_number = await stranger.get(f"{API}/orders/{numbers[0]}")

    assert numbers[1] == numbers[0] + 1 > 1001
    assert [each["number"] for each in found.json()["items"]] == numbers
    assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (422, "number")
    assert [line.split(",")[0] for line in csv] == ["number", str(numbers[1])]
    assert f'"number":{numbers[1]}' in stored[0]
    assert (theirs["items"], theirs["total"], by_number.status_code) == ([], 0, 404)


async def test_a_sale_changes_nothing_of_a_product_but_its_stock(shop: Shop) -> None:
    products = [await shop.product(tags=["kitchen"], description="Blue.") for _ in range(2)]

    await shop.order(*[(each["id"], 1) for each in products])

    for before in products:
        after = (await shop.sells.get(f"{API}/products/{before['id']}")).json()
        changed = {name for name in before if before[name] != after[name]}
        assert (changed - {"updated_at"}, after["stock"]) == ({"stock"}, 9)


@pytest.mark.parametrize("lines", [1, 8])
async def test_the_number_of_statements_does_not_grow_with_the_lines(shop: Shop, lines: int) -> None:
    products = [(await shop.product())["id"] for _ in range(lines)]
    body = order_body(*[(each, 1) for each in products])

    with counted_statements(shop.app) as seen:
        answer = await shop.buys.post(f"{API}/orders", json=body)

    assert answer.status_code == 201
    tables = re.findall(r"(?:INSERT INTO|UPDATE) (\w+) ", " ".join(seen))
    own = ["products", "orders", "order_items", "order_events"]  # in the order of their locks
    assert [each for each in tables if each in own] == own
    assert tables.count("stock_movements") == 1
    assert sum(each.startswith(("INSERT", "UPDATE", "WITH")) for each in seen) == (3 if lines == 1 else 5)
    assert sum(each.startswith("SELECT") and "FROM products" in each for each in seen) == 1


async def test_the_largest_order_has_an_exact_total(shop: Shop) -> None:
    products = [await shop.product(amount="9999999.99", stock=1000) for _ in range(100)]

    order = await shop.order(*[(each["id"], 1000) for each in products])

    assert order["total"] == {"amount": "999999999000.00", "currency": "EUR"}


async def test_a_line_keeps_the_price_and_the_name_of_its_moment(shop: Shop) -> None:
    product = await shop.product(amount="5.00", name="Old")
    order = await shop.order((product["id"], 1))
    change = {"name": "New", "price": {"amount": "6.00", "currency": "EUR"}}
    changed = await shop.sells.patch(f"{API}/products/{product['id']}", json=change, headers={"If-Match": '"1"'})
    assert changed.status_code == 200

    shown = await shop.show(order)

    assert (shown["items"][0]["name"], shown["total"]["amount"]) == ("Old", "5.00")


@pytest.mark.parametrize("member", ["total", "status", "customer_id"])
async def test_what_is_the_servers_business_is_refused(shop: Shop, member: str) -> None:
    product = await shop.product()

    answer = await shop.buys.post(f"{API}/orders", json={**order_body((product["id"], 1)), member: "x"})

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [f"/{member}"]


@pytest.mark.parametrize(("quantity", "status"), [(0, 422), (1, 201), (1000, 201), (1001, 422)])
async def test_quantities_have_bounds(shop: Shop, quantity: int, status: int) -> None:
    product = await shop.product(stock=1000)

    answer = await shop.buys.post(f"{API}/orders", json=order_body((product["id"], quantity)))

    assert answer.status_code == status


async def test_a_product_comes_once_in_an_order(shop: Shop) -> None:
    product = await shop.product()

    answer = await shop.buys.post(f"{API}/orders", json=order_body((product["id"], 1), (product["id"], 2)))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/items/1/product_id"


async def test_an_order_has_one_currency(shop: Shop) -> None:
    euros, yen = await shop.product(), await shop.product(amount="100", currency="JPY", stock=0)

    answer = await shop.buys.post(f"{API}/orders", json=order_body((euros["id"], 1), (yen["id"], 1)))

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/items/1/product_id"]


async def test_what_is_not_on_offer_cannot_be_ordered(shop: Shop) -> None:
    hidden = await shop.product(is_active=False)
    lines = (hidden["id"], 1), ("0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b", 1)

    answer = await shop.buys.post(f"{API}/orders", json=order_body(*lines))

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/items/0/product_id", "/items/1/product_id"]


async def test_too_little_names_the_lines_and_what_is_left_and_takes_nothing(shop: Shop) -> None:
    much, little, none = [await shop.product(stock=stock) for stock in (10, 2, 0)]

    answer = await shop.buys.post(f"{API}/orders", json=order_body((much["id"], 5), (little["id"], 3), (none["id"], 1)))

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "insufficient_stock")
    assert problem["items"] == [
        {"product_id": little["id"], "requested": 3, "available": 2},
        {"product_id": none["id"], "requested": 1, "available": 0},
    ]
    assert [each["pointer"] for each in problem["errors"]] == ["/items/1/quantity", "/items/2/quantity"]
    assert [await shop.stock(each) for each in (much, little, none)] == [10, 2, 0]
    assert (await shop.buys.get(f"{API}/orders")).json()["items"] == []


async def test_two_hundred_buyers_of_fifty_pieces_make_fifty_sales(shop: Shop) -> None:
    product = await shop.product(stock=PIECES)
    body = order_body((product["id"], 1))

    answers = await asyncio.gather(*(shop.buys.post(f"{API}/orders", json=body) for _ in range(MANY)))

    assert Counter(each.status_code for each in answers) == {201: PIECES, 409: MANY - PIECES}
    assert {each.json()["code"] for each in answers if each.is_error} == {"insufficient_stock"}
    numbers = sorted(each.json()["number"] for each in answers if not each.is_error)
    assert numbers == list(range(numbers[0], numbers[0] + PIECES)), "refused orders took numbers"
    assert await shop.stock(product) == 0
    assert [tuple(row) for row in await shop.rows("SELECT count(*), sum(quantity) FROM order_items")] == [(50, 50)]


async def test_orders_of_the_same_products_in_every_order_do_not_wait_in_a_circle(shop: Shop) -> None:
    products = [(await shop.product(stock=1000))["id"] for _ in range(6)]
    bodies = [order_body(*[(each, 1) for each in products[turn:] + products[:turn]]) for turn in range(6)]

    answers = await asyncio.gather(*(shop.buys.post(f"{API}/orders", json=body) for body in bodies * 8))

    assert {each.status_code for each in answers} == {201}
    assert {row[0] for row in await shop.rows("SELECT stock FROM products")} == {1000 - 48}


async def test_prices_that_change_during_a_rush_are_those_that_were_charged(shop: Shop) -> None:
    product = await shop.product(amount="1.00", stock=100)

    async def reprice(cents: int) -> None:
        url = f"{API}/products/{product['id']}"
        while True:
            tag = (await shop.sells.get(url)).headers["etag"]
            price = {"amount": f"1.{cents:02}", "currency": "EUR"}
            answer = await shop.sells.patch(url, json={"price": price}, headers={"If-Match": tag})
            if answer.status_code != 412:
                assert answer.status_code == 200, answer.text
                return

    orders = [shop.buys.post(f"{API}/orders", json=order_body((product["id"], 2))) for _ in range(30)]
    answers = await asyncio.gather(*orders, *(reprice(cents) for cents in range(1, 4)))

    for answer in answers:
        if isinstance(answer, httpx.Response):
            assert answer.status_code == 201, answer.text
            item = answer.json()["items"][0]
            assert float(item["total"]["amount"]) == 2 * float(item["unit_price"]["amount"])
    assert await shop.stock(product) == 40


async def test_ten_equal_requests_at_once_make_one_order(shop: Shop) -> None:
    product = await shop.product()
    body, headers = order_body((product["id"], 1)), {"Idempotency-Key": "one"}

    answers = await asyncio.gather(*(shop.buys.post(f"{API}/orders", json=body, headers=headers) for _ in range(10)))

    made = [each for each in answers if each.status_code == 201]
    assert {each.json()["code"] for each in answers if each not in made} <= {"idempotency_in_progress"}
    assert len({each.content for each in made}) == 1
    assert sum("idempotency-replayed" not in each.headers for each in made) == 1
    assert await shop.stock(product) == 9


async def test_a_refused_order_leaves_its_key_free(shop: Shop) -> None:
    product = await shop.product(stock=0)
    body, headers = order_body((product["id"], 1)), {"Idempotency-Key": "again"}
    refused = await shop.buys.post(f"{API}/orders", json=body, headers=headers)
    await shop.sells.post(f"{API}/products/{product['id']}/stock-movements", json={"delta": 1, "reason": "Delivery"})

    answer = await shop.buys.post(f"{API}/orders", json=body, headers=headers)

    assert (refused.status_code, answer.status_code) == (409, 201)


async def test_placing_needs_a_sign_in(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    answer = await client.post(f"{API}/orders", json={"items": []})

    assert answer.status_code == 401
