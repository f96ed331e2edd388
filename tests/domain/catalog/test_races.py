"""Products that are deleted or renamed while they are being sold: everybody gets an answer that says what happened."""

import asyncio
from collections import Counter
from typing import Any

import httpx

from tests.support.shop import API, Shop, order_body, product_body

ROUNDS = 8


def outcome(answer: httpx.Response) -> Any:
    if answer.status_code == 422:
        return 422, answer.json()["errors"][0]["pointer"], answer.json()["errors"][0]["code"]
    return answer.status_code


async def test_a_product_is_either_sold_or_deleted(shop: Shop) -> None:
    for _ in range(ROUNDS):
        product, other = await shop.product(), await shop.product()
        url, body = f"{API}/products/{product['id']}", order_body((product["id"], 1))
        both = order_body((other["id"], 1), (product["id"], 1))

        deleted, *placed = await asyncio.gather(
            shop.sells.delete(url, headers={"If-Match": "*"}),
            *(shop.buys.post(f"{API}/orders", json=body) for _ in range(3)),
            shop.buys.post(f"{API}/orders", json=both, headers={"Idempotency-Key": product["id"]}),
        )

        gone = (422, "/items/0/product_id", "not_found"), (422, "/items/1/product_id", "not_found")
        if deleted.status_code == 204:
            assert [outcome(each) for each in placed] == [gone[0]] * 3 + [gone[1]]
            assert await shop.stock(other) == 10
        else:
            assert deleted.status_code == 409
            assert [outcome(each) for each in placed] == [201] * 4


async def test_a_product_gets_another_sku_while_it_is_sold(shop: Shop) -> None:
    product = await shop.product(stock=1000)
    url, body = f"{API}/products/{product['id']}", order_body((product["id"], 1))
    for _ in range(ROUNDS):
        changes = [{"sku": product_body()["sku"]} for _ in range(2)]

        answers = await asyncio.gather(
            *(shop.sells.patch(url, json=change, headers={"If-Match": "*"}) for change in changes),
            *(shop.buys.post(f"{API}/orders", json=body) for _ in range(4)),
        )

        assert Counter(each.status_code for each in answers) == {200: 2, 201: 4}
