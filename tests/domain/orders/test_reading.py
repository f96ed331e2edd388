"""Reading orders: whose, in which order, at which cost, and as CSV."""

import csv
import io
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from litestar import Litestar
from sqlalchemy import text

from app.domain.orders.repositories.reads import ORDER_LIST
from app.domain.orders.services import export
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.pagination.query import Shape
from tests.support.apps import core_of
from tests.support.counting import counted_statements
from tests.support.people import People
from tests.support.shop import API, Shop, order_body

ORDERS = f"{API}/orders"


@pytest.fixture
async def orders(shop: Shop, people: People) -> list[dict[str, Any]]:
    """Three of the customer's, then one of another customer."""
    cheap, dear = await shop.product(amount="1.00", stock=100), await shop.product(amount="50.00", stock=100)
    yen = await shop.product(amount="70", currency="JPY")
    made = [
        await shop.order((cheap["id"], 1)),
        await shop.paid((cheap["id"], 2), (dear["id"], 1)),
        await shop.order((yen["id"], 1)),
    ]
    async with people.client(await people.create()) as other:
        made.append((await other.post(ORDERS, json=order_body((dear["id"], 2)))).json())
    return made


async def test_everybody_sees_their_own_newest_first(shop: Shop, orders: list[dict[str, Any]]) -> None:
    own = (await shop.buys.get(ORDERS)).json()["items"]
    everybodys = (await shop.boss.get(ORDERS)).json()["items"]

    assert own == orders[2::-1]
    assert everybodys == orders[::-1]


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"status": "paid"}, [1]),
        ({"status": ["paid", "pending"]}, [0, 1, 2, 3]),
        ({"currency": "EUR", "min_total": "52.00"}, [1, 3]),
        ({"currency": "EUR", "max_total": "52.00"}, [0, 1]),
        ({"currency": "JPY"}, [2]),
        ({"sort": "total", "currency": "EUR"}, [0, 1, 3]),
    ],
)
async def test_filters(shop: Shop, orders: list[dict[str, Any]], parameters: dict[str, Any], found: list[int]) -> None:
    answer = await shop.boss.get(ORDERS, params={"sort": "created_at", **parameters})

    assert [each["id"] for each in answer.json()["items"]] == [orders[each]["id"] for each in found]


async def test_filters_by_time_and_customer(shop: Shop, orders: list[dict[str, Any]]) -> None:
    middle, other = orders[1]["created_at"], orders[3]["customer_id"]

    after = (await shop.boss.get(ORDERS, params={"created_after": middle})).json()["items"]
    before = (await shop.boss.get(ORDERS, params={"created_before": middle})).json()["items"]
    theirs = (await shop.boss.get(ORDERS, params={"customer_id": other})).json()["items"]
    not_mine = (await shop.buys.get(ORDERS, params={"customer_id": other})).json()["items"]

    assert [each["id"] for each in after] == [orders[n]["id"] for n in (3, 2, 1)]
    assert [each["id"] for each in before] == [orders[0]["id"]]
    assert [each["id"] for each in theirs] == [orders[3]["id"]]
    assert not_mine == []


async def test_filters_by_product_and_change(shop: Shop, orders: list[dict[str, Any]]) -> None:
    dear, yen = orders[1]["items"][1]["product_id"], orders[2]["items"][0]["product_id"]

    async def found(**parameters: Any) -> list[int]:
        items = (await shop.boss.get(ORDERS, params={"sort": "updated_at", **parameters})).json()["items"]
        return [next(i for i, order in enumerate(orders) if order["id"] == each["id"]) for each in items]

    before = await found()
    paid = await shop.act(shop.buys, orders[0], "pay")

    assert before == [0, 1, 2, 3]
    assert await found(product_id=dear) == [1, 3]
    assert await found(product_id=[dear, yen]) == [1, 2, 3]
    assert await found(product_id=orders[0]["id"]) == []
    assert await found(updated_after=orders[2]["updated_at"]) == [2, 3, 0]
    assert await found(updated_before=paid.json()["updated_at"]) == [1, 2, 3]
    csv = (await shop.boss.get(f"{ORDERS}/export", params={"product_id": yen, "rows": "order"})).text.splitlines()
    assert len(csv) == 2


async def test_customers_are_shown_on_request_in_one_more_query(
    shop: Shop, people: People, orders: list[dict[str, Any]]
) -> None:
    one = f"{ORDERS}/{orders[0]['id']}"

    with counted_statements(shop.app) as seen:
        page = (await shop.boss.get(ORDERS, params={"expand": "customer"})).json()
    plain = await shop.buys.get(one)
    expanded = await shop.buys.get(one, params={"expand": "customer"})
    unknown = await shop.buys.get(one, params={"expand": "items"})

    assert [each["customer"]["id"] for each in page["items"]] == [each["customer_id"] for each in orders[::-1]]
    assert sum("FROM users" in each for each in seen) == 1
    assert page["items"][0]["customer"].keys() == {"id", "username", "name", "avatar_url"}
    assert expanded.json() == {**plain.json(), "customer": page["items"][-1]["customer"]}
    assert ("etag" in plain.headers, "etag" in expanded.headers, unknown.status_code) == (True, False, 422)


@pytest.mark.parametrize(
    ("name", "value", "sort", "index"),
    [
        ("updated_after", utc_now(), "updated_at", "ix_orders_updated_at_id"),
        ("product_id", new_id(), None, "ix_order_items_product_id_order_id"),
        ("number", 1001, None, "ix_orders_number"),
    ],
)
async def test_filters_are_served_by_indexes(shop: Shop, name: str, value: Any, sort: str | None, index: str) -> None:
    engine = core_of(shop.app).database.engine
    shape = Shape(ORDER_LIST.order(sort), ((name, 1),), after_cursor=False)
    compiled = ORDER_LIST.statement(shape).prepared.compiled(engine.dialect)
    arguments = tuple(compiled.arguments({"limit": 21, "offset": 0, f"filter_{name}_0": value}))
    explain = "EXPLAIN QUERY PLAN"
    async with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            explain = "EXPLAIN"
            # With hardly a row every plan costs the same: take away those that only keep the order.
            for kind in ("seqscan", "indexscan", "indexonlyscan"):
                await connection.execute(text(f"SET LOCAL enable_{kind} = off"))
        rows = (await connection.exec_driver_sql(f"{explain} {compiled.sql}", arguments)).all()

    plan = "\n".join(str(row[-1]) for row in rows)
    assert index in plan, plan


async def test_the_lines_of_a_page_are_one_more_query(shop: Shop, orders: list[dict[str, Any]]) -> None:
    counts = []
    for size in (1, 4):
        with counted_statements(shop.app) as seen:
            await shop.boss.get(ORDERS, params={"page_size": size, "include_total": "false"})
        counts.append(sum("order_items" in each for each in seen))
        assert sum("orders" in each for each in seen if "order_items" not in each) == 1

    assert counts == [1, 1]


async def test_an_order_that_was_seen_is_not_sent_again(shop: Shop, orders: list[dict[str, Any]]) -> None:
    url = f"{ORDERS}/{orders[0]['id']}"

    same = await shop.buys.get(url, headers={"If-None-Match": '"1"'})
    await shop.act(shop.buys, orders[0], "pay")
    other = await shop.buys.get(url, headers={"If-None-Match": '"1"'})

    assert (same.status_code, other.status_code) == (304, 200)


async def test_the_export_has_every_order_in_batches(
    shop: Shop, orders: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "BATCH", 2)

    with counted_statements(shop.app) as seen:
        answer = await shop.boss.get(f"{ORDERS}/export")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = [(order, number, item) for order in orders for number, item in enumerate(order["items"], 1)]
    assert [(row["id"], row["line"]) for row in rows] == [(order["id"], str(number)) for order, number, _ in lines]
    for row, (order, _, item) in zip(rows, lines, strict=True):
        assert (row["number"], row["created_at"]) == (str(order["number"]), order["created_at"])
        assert (row["currency"], row["total"]) == (order["total"]["currency"], order["total"]["amount"])
        assert (row["product_id"], row["sku"], row["name"]) == (item["product_id"], item["sku"], item["name"])
        assert (row["unit_price"], row["line_total"]) == (item["unit_price"]["amount"], item["total"]["amount"])
        assert (row["quantity"], row["refunded_quantity"]) == (str(item["quantity"]), "0")
    for table in ("FROM orders", "FROM order_items", "FROM users"):
        assert sum(table in each for each in seen) == 2, "a query for each batch"


async def test_the_export_has_one_row_per_order_on_request_and_no_formula(
    shop: Shop, people: People, orders: list[dict[str, Any]]
) -> None:
    async with people.client(shop.customer) as customer:
        profile = await customer.put(f"{API}/users/me/profile", json={"first_name": "=HYPERLINK(1)"})
        assert profile.status_code == 200, profile.text

    answer = await shop.boss.get(f"{ORDERS}/export", params={"rows": "order"})
    wrong = await shop.boss.get(f"{ORDERS}/export", params={"rows": "page"})

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows] == [each["id"] for each in orders]
    assert "sku" not in rows[0]
    assert [row["customer_id"] for row in rows] == [each["customer_id"] for each in orders]
    assert rows[0]["customer_name"] == "'=HYPERLINK(1)"
    assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (422, "rows")


async def test_an_export_holds_one_batch_and_no_connection_while_the_client_is_slow(
    shop: Shop, orders: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "BATCH", 1)
    core = core_of(shop.app)
    lines = await core.services.build(export.OrderExport).lines({}, "order")

    seen = [(part.count(b"\r\n"), core.database.usage()["read"].in_use) async for part in lines]

    assert seen == [(1, 0)] * (1 + len(orders))


async def test_who_goes_away_during_an_export_leaves_nothing_behind(
    shop: Shop, orders: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "BATCH", 1)
    core = core_of(shop.app)
    lines = await core.services.build(export.OrderExport).lines({}, "order")
    parts = [await anext(lines), await anext(lines)]

    with counted_statements(shop.app) as after:
        await cast("AsyncGenerator[bytes, None]", lines).aclose()

    assert (len(parts), after, core.database.usage()["read"].in_use) == (2, [], 0)
    again = await shop.boss.get(f"{ORDERS}/export", params={"rows": "order"})
    assert len(again.text.splitlines()) == 1 + len(orders)


async def test_the_export_takes_the_filters_of_the_list(shop: Shop, orders: list[dict[str, Any]]) -> None:
    answer = await shop.boss.get(f"{ORDERS}/export", params={"status": "paid", "rows": "order"})

    assert [row["id"] for row in csv.DictReader(io.StringIO(answer.text))] == [orders[1]["id"]]


async def test_an_export_that_cannot_be_is_refused_before_it_starts(shop: Shop) -> None:
    answer = await shop.boss.get(f"{ORDERS}/export", params={"created_after": "0001-01-01T00:00:00+23:59"})

    assert answer.status_code == 422
    assert [error["parameter"] for error in answer.json()["errors"]] == ["created_after"]


async def test_the_export_is_for_staff(shop: Shop, app: Litestar) -> None:
    assert (await shop.buys.get(f"{ORDERS}/export")).status_code == 403
