"""Refunds: by lines or whole, never more than was paid, and each piece back on the shelf once."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.support.shop import SEND, Shop

BOOKS = "SELECT kind, amount_units, calls FROM test_provider_transactions WHERE kind = 'refund' ORDER BY created_at"


async def refund(shop: Shop, order: dict[str, Any], *lines: tuple[dict[str, Any], int, bool]) -> httpx.Response:
    items = [{"product_id": each["id"], "quantity": quantity, "restock": back} for each, quantity, back in lines]
    return await shop.act(shop.boss, order, "refund", json={"items": items})


async def test_a_refund_without_a_body_is_of_everything(shop: Shop) -> None:
    mug, pen = await shop.product(amount="5.00"), await shop.product(amount="0.30")
    order = await shop.paid((mug["id"], 2), (pen["id"], 3))

    answer = await shop.act(shop.boss, order, "refund")

    assert (answer.json()["status"], answer.json()["refunded"]["amount"]) == ("refunded", "10.90")
    assert [await shop.stock(each) for each in (mug, pen)] == [10, 10]
    assert await shop.run_jobs(SEND, at_once=False) == ["succeeded"]
    assert await shop.run_jobs(SEND) == []
    assert [tuple(row) for row in await shop.rows(BOOKS)] == [("refund", 1090, 1)]


async def test_nothing_goes_back_on_the_shelf_that_is_not_to(shop: Shop) -> None:
    mug = await shop.product()
    order = await shop.paid((mug["id"], 2))

    await shop.act(shop.boss, order, "refund", json={"restock": False})

    assert await shop.stock(mug) == 8


@pytest.mark.parametrize(("line", "stock"), [({}, 8), ({"restock": True}, 9), ({"restock": False}, 8)])
async def test_a_line_that_does_not_say_goes_where_the_refund_says(
    shop: Shop, line: dict[str, bool], stock: int
) -> None:
    mug = await shop.product(stock=10)
    order = await shop.paid((mug["id"], 2))
    items = [{"product_id": mug["id"], "quantity": 1, **line}]

    answer = await shop.act(shop.boss, order, "refund", json={"items": items, "restock": False})

    assert (answer.status_code, await shop.stock(mug)) == (200, stock)


async def test_a_refund_of_lines_is_of_those_pieces(shop: Shop) -> None:
    mug, pen = await shop.product(amount="5.00"), await shop.product(amount="0.30")
    order = await shop.paid((mug["id"], 2), (pen["id"], 3))

    part = await refund(shop, order, (mug, 1, True), (pen, 3, False))
    rest = await refund(shop, order, (mug, 1, False))

    assert (part.json()["status"], part.json()["refunded"]["amount"]) == ("paid", "5.90")
    assert [each["refunded_quantity"] for each in part.json()["items"]] == [1, 3]
    assert (rest.json()["status"], rest.json()["refunded"]) == ("refunded", order["total"])
    assert [await shop.stock(each) for each in (mug, pen)] == [9, 7]
    assert await shop.timeline(order) == ["placed", "paid", "refunded", "refunded"]


async def test_no_more_is_refunded_than_was_paid(shop: Shop) -> None:
    mug = await shop.product(amount="5.00")
    order = await shop.paid((mug["id"], 2))
    await refund(shop, order, (mug, 1, True))

    too_many = await refund(shop, order, (mug, 2, True))
    foreign = await refund(shop, order, (await shop.product(), 1, True))

    assert (too_many.status_code, too_many.json()["errors"][0]["detail"]) == (409, "1 left to refund.")
    assert (foreign.status_code, foreign.json()["errors"][0]["pointer"]) == (422, "/items/0/product_id")
    assert (await shop.show(order))["refunded"]["amount"] == "5.00"


async def test_refunds_at_once_give_back_each_piece_once(shop: Shop) -> None:
    mug = await shop.product(amount="5.00")
    order = await shop.paid((mug["id"], 3))

    answers = await asyncio.gather(*(refund(shop, order, (mug, 1, True)) for _ in range(8)))

    assert Counter(each.status_code for each in answers) == {200: 3, 409: 5}
    assert await shop.stock(mug) == 10
    assert (await shop.show(order))["status"] == "refunded"


async def test_a_refund_repeated_with_its_key_is_one_refund(shop: Shop) -> None:
    mug = await shop.product(amount="5.00")
    order = await shop.paid((mug["id"], 2))
    body = {"items": [{"product_id": mug["id"], "quantity": 1}]}

    answers = [
        await shop.act(shop.boss, order, "refund", json=body, headers={"Idempotency-Key": "r1"}) for _ in range(3)
    ]

    assert [each.status_code for each in answers] == [200] * 3
    assert (await shop.show(order))["refunded"]["amount"] == "5.00"


async def test_cancelling_after_a_part_was_refunded_gives_back_the_rest(shop: Shop) -> None:
    mug = await shop.product(amount="5.00")
    order = await shop.paid((mug["id"], 3))
    await refund(shop, order, (mug, 1, False))

    answer = await shop.act(shop.boss, order, "cancel")

    assert (answer.json()["status"], answer.json()["refunded"]) == ("cancelled", order["total"])
    assert await shop.stock(mug) == 9
    assert await shop.run_jobs(SEND) == ["succeeded", "succeeded"]
    assert sorted(row.amount_units for row in await shop.rows(BOOKS)) == [500, 1000]


@pytest.mark.parametrize("items", [[], [{"product_id": "x", "quantity": 1}]])
async def test_what_is_no_refund_is_refused(shop: Shop, items: list[Any]) -> None:
    mug = await shop.product()
    order = await shop.paid((mug["id"], 2))

    answer = await shop.act(shop.boss, order, "refund", json={"items": items})

    assert answer.status_code == 422
