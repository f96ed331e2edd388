"""The list of products: filters, order, pages."""

from typing import Any

import pytest

from tests.support.shop import API, Shop

PRODUCTS = f"{API}/products"


async def skus(shop: Shop, **parameters: Any) -> list[str]:
    answer = await shop.buys.get(PRODUCTS, params={"sort": "sku", **parameters})
    assert answer.status_code == 200, answer.text
    return [each["sku"] for each in answer.json()["items"]]


@pytest.fixture
async def stocked(shop: Shop) -> Shop:
    await shop.product(sku="A", name="Blue Straße", amount="1.00", stock=0, tags=["kitchen"])
    await shop.product(sku="B", name="Red mug", amount="2.00", stock=1, tags=["kitchen", "red"])
    await shop.product(sku="C", name="100% wool_hat", amount="3.00", stock=5, description="Warm STRASSE hat")
    await shop.product(sku="D", name="Yen mug", amount="2", currency="JPY", tags=["red"])
    return shop


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, ["A", "B", "C", "D"]),
        ({"q": "mug"}, ["B", "D"]),
        ({"q": "strasse"}, ["A", "C"]),
        ({"q": "0% w"}, ["C"]),
        ({"q": "%"}, ["C"]),
        ({"q": "l_h"}, ["C"]),
        ({"sku": "B"}, ["B"]),
        ({"sku": ["D", "A", "b", "Z"]}, ["A", "D"]),
        ({"tag": "kitchen"}, ["A", "B"]),
        ({"tag": ["kitchen", "red"]}, ["A", "B", "D"]),
        ({"in_stock": "true"}, ["B", "C", "D"]),
        ({"in_stock": "false"}, ["A"]),
        ({"currency": "JPY"}, ["D"]),
        ({"currency": "EUR", "min_price": "2.00"}, ["B", "C"]),
        ({"currency": "EUR", "max_price": "2.00"}, ["A", "B"]),
        ({"currency": "EUR", "min_price": "1.01", "max_price": "2.99"}, ["B"]),
    ],
)
async def test_filters(stocked: Shop, parameters: dict[str, Any], found: list[str]) -> None:
    assert await skus(stocked, **parameters) == found


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({"min_price": "1.00"}, "currency"),
        ({"min_price": "1.0", "currency": "EUR"}, "min_price"),
        ({"max_price": "1.00", "currency": "JPY"}, "max_price"),
        ({"max_price": "1.00", "currency": "XXX"}, "currency"),
        ({"sort": "stock"}, "sort"),
    ],
)
async def test_bad_parameters_are_named(shop: Shop, parameters: dict[str, str], parameter: str) -> None:
    answer = await shop.buys.get(PRODUCTS, params=parameters)

    assert answer.status_code == 422
    assert [each["parameter"] for each in answer.json()["errors"]] == [parameter]


async def test_a_walk_by_cursor_sees_each_product_once(shop: Shop) -> None:
    made = [(await shop.product())["id"] for _ in range(7)]
    seen: list[str] = []
    parameters: dict[str, Any] = {"page_size": 3, "sort": "-price"}
    while True:
        page = (await shop.buys.get(PRODUCTS, params=parameters)).json()
        seen += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]

    assert sorted(seen) == sorted(made)


async def test_a_walk_by_the_last_change_sees_what_is_sold_on_the_way_again(shop: Shop) -> None:
    products = [await shop.product(stock=9) for _ in range(5)]
    seen: list[tuple[str, int]] = []
    parameters: dict[str, Any] = {"sort": "updated_at", "page_size": 2, "updated_after": products[0]["updated_at"]}
    for number in range(10):
        page = (await shop.buys.get(PRODUCTS, params=parameters)).json()
        seen += [(each["id"], each["stock"]) for each in page["items"]]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
        if number < 2:
            await shop.order((products[number * 3]["id"], 1))  # one that was seen, and one that was not

    first, *others = products
    assert seen[0] == (first["id"], 9)
    assert dict(seen) == {each["id"]: 9 for each in others} | {first["id"]: 8, products[3]["id"]: 8}
    assert [each["id"] for each in (await shop.buys.get(PRODUCTS, params={"sort": "-updated_at"})).json()["items"]][
        :2
    ] == [products[3]["id"], first["id"]]
