"""Stock, and the ledger that explains it."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

from sqlalchemy import update

from app.domain.catalog.models import Product
from app.lib.clock import utc_now
from tests.support.apps import core_of
from tests.support.people import People
from tests.support.shop import API, Shop


async def test_every_change_of_stock_is_in_the_ledger(shop: Shop, people: People) -> None:
    product = await shop.product(stock=5)
    url = f"{API}/products/{product['id']}"

    changed = await shop.sells.post(f"{url}/stock-movements", json={"delta": 7, "reason": "Delivery"})
    order = await shop.order((product["id"], 4))
    await shop.act(shop.buys, order, "cancel")

    async with people.client(await people.create(permissions=["products:write", "orders:read"])) as both:
        lines = (await both.get(f"{url}/stock-movements")).json()["items"]
    without = (await shop.sells.get(f"{url}/stock-movements")).json()["items"]
    assert without == [{**each, "order_id": None} for each in lines]
    assert changed.status_code == 201
    assert changed.json() == lines[2]
    assert changed.headers["location"] == f"{url}/stock-movements/{lines[2]['id']}"
    assert (await shop.sells.get(changed.headers["location"])).json() == lines[2]
    assert (await shop.sells.get(f"{url}/stock-movements/{lines[0]['id']}")).json()["order_id"] is None
    elsewhere = f"{API}/products/{(await shop.product())['id']}/stock-movements/{lines[2]['id']}"
    assert (await shop.sells.get(elsewhere)).status_code == 404
    assert [(each["kind"], each["delta"], each["balance"]) for each in lines] == [
        ("return", 4, 12),
        ("order", -4, 8),
        ("adjustment", 7, 12),
        ("initial", 5, 5),
    ]
    assert [each["reason"] for each in lines] == ["cancelled", None, "Delivery", None]
    assert [each["order_id"] for each in lines[:2]] == [order["id"]] * 2


async def test_stock_is_never_negative(shop: Shop) -> None:
    product = await shop.product(stock=5)

    answer = await shop.sells.post(
        f"{API}/products/{product['id']}/stock-movements", json={"delta": -6, "reason": "Theft"}
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_stock")
    assert answer.json()["items"] == [{"product_id": product["id"], "requested": 6, "available": 5}]


async def test_stock_is_outside_of_the_version_and_inside_of_the_tag(shop: Shop) -> None:
    product = await shop.product(stock=5)
    url = f"{API}/products/{product['id']}"
    seen = (await shop.buys.get(url)).headers["etag"]
    order = await shop.order((product["id"], 4))

    sold = await shop.buys.get(url, headers={"If-None-Match": seen})
    unchanged = await shop.buys.get(url, headers={"If-None-Match": sold.headers["etag"]})
    saved = await shop.sells.patch(url, json={"description": "Holds tea."}, headers={"If-Match": seen})
    stale = await shop.sells.patch(url, json={"description": "Leaks."}, headers={"If-Match": seen})
    await shop.act(shop.buys, order, "cancel")  # the same stock and version as after the description

    assert (sold.status_code, sold.json()["stock"], sold.json()["version"]) == (200, 1, 1)
    assert sold.json()["updated_at"] > product["updated_at"]
    assert unchanged.status_code == 304
    assert [each.status_code for each in (saved, stale)] == [200, 412]
    assert (saved.json()["stock"], saved.json()["version"]) == (1, 2)
    back = await shop.buys.get(url, headers={"If-None-Match": saved.headers["etag"]})
    assert (back.status_code, back.json()["stock"], back.json()["version"]) == (200, 5, 2)


async def test_who_copies_by_updated_at_misses_no_sale(shop: Shop) -> None:
    """Another process is ahead, or wrote while this one waited: then the time stays, and does not go back."""
    product = await shop.product(stock=5)
    url = f"{API}/products/{product['id']}"
    ahead = utc_now() + timedelta(minutes=1)
    async with core_of(shop.app).database.independent() as unit:
        changed = update(Product).where(Product.id == UUID(product["id"])).values(updated_at=ahead)
        await unit.session.execute(changed)
        await unit.commit()
    order = await shop.order((product["id"], 1))

    [sold, _] = (await shop.sells.get(f"{url}/stock-movements")).json()["items"]
    seen = (await shop.sells.get(f"{API}/products", params={"updated_after": ahead.isoformat()})).json()["items"]
    assert [(each["id"], each["stock"]) for each in seen] == [(product["id"], 4)]
    assert order["created_at"] >= sold["created_at"], "the order's time is after the wait for its products"


async def test_stock_has_an_upper_bound(shop: Shop) -> None:
    product = await shop.product(stock=1_000_000_000)

    answer = await shop.sells.post(
        f"{API}/products/{product['id']}/stock-movements", json={"delta": 1, "reason": "Delivery"}
    )

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/delta")


async def test_stock_that_buyers_brought_above_the_bound_can_still_go_down(shop: Shop) -> None:
    product = await shop.product(stock=1_000_000_000)
    order = await shop.order((product["id"], 5))
    url = f"{API}/products/{product['id']}/stock-movements"
    await shop.sells.post(url, json={"delta": 5, "reason": "Delivery"})
    await shop.act(shop.buys, order, "cancel")

    less = await shop.sells.post(url, json={"delta": -1, "reason": "Theft"})
    more = await shop.sells.post(url, json={"delta": 1, "reason": "Delivery"})

    assert (less.status_code, less.json()["balance"], more.status_code) == (201, 1_000_000_004, 422)


async def test_a_change_of_nothing_and_of_what_is_not_there_is_refused(shop: Shop) -> None:
    product = await shop.product()
    absent = "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"

    nothing = await shop.sells.post(
        f"{API}/products/{product['id']}/stock-movements", json={"delta": 0, "reason": "None"}
    )
    nowhere = await shop.sells.post(f"{API}/products/{absent}/stock-movements", json={"delta": 1, "reason": "Delivery"})

    assert (nothing.status_code, nowhere.status_code) == (422, 404)
    assert (await shop.sells.get(f"{API}/products/{absent}/stock-movements")).status_code == 404


async def test_changes_at_once_all_count(shop: Shop) -> None:
    product = await shop.product(stock=10)
    url = f"{API}/products/{product['id']}/stock-movements"

    answers = await asyncio.gather(
        *(shop.sells.post(url, json={"delta": delta, "reason": "Count"}) for delta in (3, -1) * 10)
    )

    assert Counter(each.status_code for each in answers) == {201: 20}
    assert await shop.stock(product) == 30


async def test_a_repeated_change_with_one_key_counts_once(shop: Shop) -> None:
    product = await shop.product(stock=10)
    url, headers = f"{API}/products/{product['id']}/stock-movements", {"Idempotency-Key": "delivery-7"}

    change = {"delta": 5, "reason": "Delivery"}
    first, again = [await shop.sells.post(url, json=change, headers=headers) for _ in range(2)]

    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (201, first.json(), "true")
    assert again.headers["location"] == first.headers["location"]
    assert await shop.stock(product) == 15
