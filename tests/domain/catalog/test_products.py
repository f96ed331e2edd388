"""Products: how they come, change and go, and who sees which."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import insert

from app.domain.catalog.models import StockMovement
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.statements import BATCH
from app.lib.security.policies import policy_of
from tests.contract.routes import operations
from tests.support.apps import core_of
from tests.support.people import People
from tests.support.shop import API, Shop, order_body, product_body

PRODUCTS = f"{API}/products"


def place_of(product: dict[str, Any]) -> str:
    return f"{PRODUCTS}/{product['id']}"


async def test_a_product_is_active_unless_said_otherwise(shop: Shop) -> None:
    body = product_body(name="Blue mug", tags=["kitchen", "blue", "kitchen"], description="Holds tea.")

    answer = await shop.sells.post(PRODUCTS, json=body)

    product = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == place_of(product)
    assert answer.headers["etag"] == (await shop.sells.get(place_of(product))).headers["etag"]
    assert product["is_active"] is True
    assert product["tags"] == ["blue", "kitchen"]
    assert (product["price"], product["stock"]) == ({"amount": "19.90", "currency": "EUR"}, 10)


async def test_anybody_sees_what_is_on_offer(shop: Shop, client: httpx.AsyncClient) -> None:
    shown, hidden = await shop.product(), await shop.product(is_active=False)

    public = shown | {"metadata": None}
    assert (await client.get(place_of(shown))).json() == public
    assert (await client.get(place_of(hidden))).status_code == 404
    assert [each["id"] for each in (await client.get(PRODUCTS)).json()["items"]] == [shown["id"]]
    assert (await client.get(PRODUCTS, params={"is_active": "false"})).json()["items"] == []
    both = {"is_active": ["false", "true"]}
    assert (await client.get(PRODUCTS, params=both)).json()["items"] == [public]
    assert (await shop.sells.get(PRODUCTS, params=both)).json()["items"] == [hidden, shown]
    assert (await shop.sells.get(place_of(hidden))).status_code == 200
    assert (await shop.sells.get(PRODUCTS, params={"is_active": "false"})).json()["items"] == [hidden]


@pytest.mark.parametrize(
    ("price", "pointer"),
    [
        ({"amount": "-1.00", "currency": "EUR"}, "/price/amount"),
        ({"amount": "1.0", "currency": "EUR"}, "/price/amount"),
        ({"amount": "1.00", "currency": "JPY"}, "/price/amount"),
        ({"amount": "10000000.00", "currency": "EUR"}, "/price/amount"),
        ({"amount": "1.00", "currency": "XXX"}, "/price/currency"),
        ({"amount": 1.5, "currency": "EUR"}, "/price/amount"),
        (19.9, "/price"),
    ],
)
async def test_a_price_is_an_amount_in_a_currency(shop: Shop, price: Any, pointer: str) -> None:
    answer = await shop.sells.post(PRODUCTS, json={**product_body(), "price": price})

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_a_sku_is_given_once(shop: Shop) -> None:
    product = await shop.product()

    answer = await shop.sells.post(PRODUCTS, json=product_body(sku=product["sku"]))

    assert (answer.status_code, answer.json()["code"]) == (409, "duplicate")
    assert answer.json()["errors"][0]["pointer"] == "/sku"


async def test_a_change_needs_the_version_that_was_seen(shop: Shop) -> None:
    product = await shop.product()
    url, change = place_of(product), {"name": "Red mug"}

    bare = await shop.sells.patch(url, json=change)
    stale = await shop.sells.patch(url, json=change, headers={"If-Match": '"7"'})
    good = await shop.sells.patch(url, json=change, headers={"If-Match": '"1"'})

    assert [each.status_code for each in (bare, stale, good)] == [428, 412, 200]
    assert bare.json()["code"] == "precondition_required"
    assert (good.json()["name"], good.json()["version"]) == ("Red mug", 2)


async def test_an_empty_patch_changes_nothing(shop: Shop) -> None:
    product = await shop.product(tags=["a"])

    answer = await shop.sells.patch(place_of(product), json={}, headers={"If-Match": '"1"'})

    assert answer.json() == product


async def test_other_tags_are_another_version(shop: Shop) -> None:
    product = await shop.product(tags=["a"])

    answer = await shop.sells.patch(place_of(product), json={"tags": ["b", "c"]}, headers={"If-Match": '"1"'})

    assert (answer.json()["tags"], answer.json()["version"]) == (["b", "c"], 2)


async def test_stock_is_not_changed_by_a_patch(shop: Shop) -> None:
    product = await shop.product()

    answer = await shop.sells.patch(place_of(product), json={"stock": 99}, headers={"If-Match": '"1"'})

    assert answer.status_code == 422


async def test_prices_are_kept(shop: Shop) -> None:
    product = await shop.product(amount="1.00")
    for version, amount in enumerate(["2.00", "3.00"], start=1):
        price = {"price": {"amount": amount, "currency": "EUR"}}
        await shop.sells.patch(place_of(product), json=price, headers={"If-Match": f'"{version}"'})

    history = (await shop.sells.get(f"{place_of(product)}/prices")).json()

    assert [each["price"]["amount"] for each in history["items"]] == ["3.00", "2.00", "1.00"]


@pytest.mark.parametrize(
    ("patch", "price"),
    [
        ({"amount": "2.50"}, {"amount": "2.50", "currency": "EUR"}),
        ({"currency": "USD"}, {"amount": "19.90", "currency": "USD"}),
        ({"amount": "250", "currency": "JPY"}, {"amount": "250", "currency": "JPY"}),
        ({}, {"amount": "19.90", "currency": "EUR"}),
    ],
)
async def test_what_a_patch_leaves_out_of_a_price_stays(
    shop: Shop, patch: dict[str, str], price: dict[str, str]
) -> None:
    product = await shop.product(amount="19.90")

    answer = await shop.sells.patch(place_of(product), json={"price": patch}, headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.json()["price"]) == (200, price)
    assert answer.json()["version"] == (2 if patch else 1)
    assert (await shop.sells.get(f"{place_of(product)}/prices")).json()["total"] == (2 if patch else 1)


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        (None, "/price"),
        ({"amount": None}, "/price/amount"),
        ({"amount": "250"}, "/price/amount"),
        ({"currency": "JPY"}, "/price/amount"),
        ({"currency": "XXX"}, "/price/currency"),
        ({"amount": "-1.00"}, "/price/amount"),
        ({"amount": "10000000.00"}, "/price/amount"),
        ({"cents": 5}, "/price/cents"),
    ],
)
async def test_a_price_is_one_after_a_patch_too(shop: Shop, patch: Any, pointer: str) -> None:
    product = await shop.product()

    answer = await shop.sells.patch(place_of(product), json={"price": patch}, headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_who_asks_for_any_version_gets_it(shop: Shop) -> None:
    """RFC 9110 section 13.1.1: ``*`` is a condition that holds for any version."""
    product = await shop.product()
    url, any_version = place_of(product), {"If-Match": "*"}

    changed = await shop.sells.patch(url, json={"name": "New"}, headers=any_version)
    gone = await shop.sells.delete(url, headers=any_version)
    again = await shop.sells.delete(url, headers=any_version)

    assert [each.status_code for each in (changed, gone, again)] == [200, 204, 404]


async def test_a_product_without_orders_can_be_deleted(shop: Shop) -> None:
    product = await shop.product(tags=["a"])
    url = place_of(product)

    bare = await shop.sells.delete(url)
    good = await shop.sells.delete(url, headers={"If-Match": '"1"'})
    again = await shop.sells.delete(url, headers={"If-Match": '"1"'})

    assert [each.status_code for each in (bare, good, again)] == [428, 204, 404]


async def test_a_product_that_was_ordered_is_deactivated_instead(shop: Shop) -> None:
    product = await shop.product()
    await shop.order((product["id"], 1))
    url, match = place_of(product), {"If-Match": '"1"'}

    refused = await shop.sells.delete(url, headers=match)
    deactivated = await shop.sells.patch(url, json={"is_active": False}, headers=match)

    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "Deactivate" in refused.json()["detail"]
    assert deactivated.json()["is_active"] is False
    assert (await shop.buys.post(f"{API}/orders", json=order_body((product["id"], 1)))).status_code == 422


@pytest.mark.parametrize(("movements", "status"), [(BATCH - 1, 204), (BATCH, 409)])
async def test_a_product_with_a_long_history_is_deactivated_instead(shop: Shop, movements: int, status: int) -> None:
    product = await shop.product()
    change = {
        "product_id": UUID(product["id"]),
        "kind": "adjustment",
        "delta": 0,
        "balance": 10,
        "created_at": utc_now(),
    }
    async with core_of(shop.app).database.independent() as unit:
        await unit.session.execute(insert(StockMovement), [{"id": new_id(), **change} for _ in range(movements)])

    refused = await shop.sells.delete(place_of(product), headers={"If-Match": '"1"'})

    assert refused.status_code == status


async def test_a_batch_is_made_as_a_whole(shop: Shop) -> None:
    bodies = [product_body() for _ in range(100)]

    answer = await shop.sells.post(f"{PRODUCTS}/batch", json={"items": bodies})

    assert answer.status_code == 201
    assert [each["sku"] for each in answer.json()["items"]] == [each["sku"] for each in bodies]


async def test_a_batch_with_one_bad_product_makes_none(shop: Shop) -> None:
    there = await shop.product()
    fine = product_body()
    bodies = [fine, product_body(sku=there["sku"]), product_body(sku=fine["sku"])]

    answer = await shop.sells.post(f"{PRODUCTS}/batch", json={"items": bodies})

    assert answer.status_code == 409
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/items/1/sku", "/items/2/sku"]
    assert (await shop.sells.get(PRODUCTS)).json()["total"] == 1


@pytest.mark.parametrize("count", [0, 101])
async def test_a_batch_has_one_to_a_hundred_products(shop: Shop, count: int) -> None:
    answer = await shop.sells.post(f"{PRODUCTS}/batch", json={"items": [product_body() for _ in range(count)]})

    assert answer.status_code == 422


async def test_only_holders_of_the_permission_write(shop: Shop, app: Litestar, people: People) -> None:
    ours = [each for each in operations(app) if each.path.startswith(PRODUCTS)]
    open_to_all = {(each.method, each.path) for each in ours if policy_of(each.handler).name == "optional"}

    assert open_to_all == {("GET", PRODUCTS), ("GET", PRODUCTS + "/{product_id:uuid}")}
    assert (await shop.buys.post(PRODUCTS, json=product_body())).status_code == 403
