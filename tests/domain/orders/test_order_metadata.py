"""The customer may set the metadata of an order with it, and sees it; later only staff change it."""

from litestar import Litestar

from app.domain.orders.models import Order
from app.lib.events.tables import StoredEvent
from tests.domain.accounts.answers import is_refused, rows
from tests.support.people import People
from tests.support.shop import API, Shop

ME = f"{API}/users/me"


async def test_staff_change_what_the_customer_sees(app: Litestar, shop: Shop, people: People) -> None:
    product = await shop.product()
    order = await shop.order((product["id"], 1), metadata={"cart_id": "K-7", "erp_id": ""})
    url = f"{API}/orders/{order['id']}"
    theirs = await shop.buys.patch(url, json={"metadata": {"erp_id": "mine"}})
    async with people.client(await people.create()) as stranger:
        unknown = await stranger.patch(url, json={"metadata": {}})
    both = await shop.boss.patch(url, json={"notes": "Ring.", "metadata": {"cart_id": None, "erp_id": "E-7"}})
    await shop.act(shop.buys, order, "cancel")
    late = await shop.boss.patch(url, json={"metadata": {"closed": "yes"}})
    same = await shop.boss.patch(url, json={"metadata": {"closed": "yes"}})
    nothing = await shop.boss.patch(url, json={"metadata": {}})

    assert order["metadata"] == {"cart_id": "K-7", "erp_id": ""}
    assert is_refused(theirs, 403, "permission_denied")
    assert is_refused(unknown, 404, "not_found")
    assert (both.json()["metadata"], both.json()["notes"]) == ({"erp_id": "E-7"}, "Ring.")
    assert (both.json()["version"], late.json()["version"]) == (2, 4)
    kept = {"erp_id": "E-7", "closed": "yes"}
    assert late.json()["metadata"] == kept
    assert same.json() == nothing.json() == late.json() == (await shop.buys.get(url)).json()
    assert (await shop.buys.get(f"{API}/orders")).json()["items"][0]["metadata"] == kept
    assert (await shop.boss.get(f"{url}?expand=customer")).json()["metadata"] == kept
    assert await shop.timeline(order) == ["placed", "cancelled"]
    assert (await shop.buys.get(f"{ME}/export")).json()["orders"][0]["metadata"] == kept
    assert "E-7" not in (await shop.boss.get(f"{API}/orders/export")).text
    assert all("K-7" not in each.payload for each in await rows(app, StoredEvent)), "kept longer than the account"

    assert (await shop.buys.delete(ME)).status_code == 204
    (row,) = await rows(app, Order)
    assert (row.customer_id, row.metadata_) == (None, {})
