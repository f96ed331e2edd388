"""Hypothesis plays customers, staff and the passing of time; the books balance after every play.

A play is a list of steps with numbers in them, which choose among what there is when it comes to the step.
"""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar

from app.lib.clock import utc_now
from tests.support.apps import forget
from tests.support.killing import INVARIANTS
from tests.support.people import People
from tests.support.shop import API, SEND, SETTLE, Shop, expiry, open_shop, order_body, product_body

Step = tuple[str, int, int, int]

EXAMPLES = 14
STEPS = 40
METHODS = ("test", "test", "test", "test_decline", "test_timeout", "test_twice")
HTTP = ("pay", "cancel", "staff_cancel", "ship", "deliver", "refund", "refund", "refund_lines", "notes")

_number = st.integers(0, 30)
_steps = st.tuples(
    st.sampled_from(
        ["product", "batch", "adjust", "reprice", "toggle"]
        + ["place"] * 7
        + ["repeat", "crowd", "race", "race"]
        + ["pay"] * 4
        + ["expire", "settle"]
        + list(HTTP)
    ),
    _number,
    _number,
    _number,
)


class Play:
    """The state of the shop and the steps on it. No answer may be a fault."""

    def __init__(self, shop: Shop, others: list[httpx.AsyncClient]) -> None:
        self.shop = shop
        self.buyers = [shop.buys, *others]
        self.products: list[dict[str, Any]] = []
        self.orders: list[tuple[httpx.AsyncClient, dict[str, Any]]] = []
        self.keys = 0

    async def step(self, name: str, first: int, second: int, third: int) -> None:
        if not self.products or name == "product":
            self.products.append(await self.shop.product(stock=first, amount=f"{second}.{third:02}"))
        elif name in {"batch", "adjust", "reprice", "toggle", "place", "repeat", "crowd"}:
            await getattr(self, f"_{name}")(first, second, third)
        elif name in {"expire", "settle"}:
            await self._time(name, second)
        elif self.orders:
            buyer, order = self.orders[first % len(self.orders)]
            await (self._race if name == "race" else partial(self._act, name))(buyer, order, second, third)

    async def _batch(self, first: int, second: int, third: int) -> None:
        price = {"amount": f"{second}.{third:02}"}
        bodies = [product_body(stock=first, tags=["batch"], **price) for _ in range(second % 3 + 1)]
        answer = await self.shop.sells.post(f"{API}/products/batch", json={"items": bodies})
        expect(answer, {201})
        self.products += answer.json()["items"]

    async def _adjust(self, first: int, second: int, third: int) -> None:
        product = self.products[first % len(self.products)]
        body = {"delta": second - third or 1, "reason": "Count"}
        expect(await self.shop.sells.post(f"{API}/products/{product['id']}/stock-movements", json=body), {201, 409})

    async def _reprice(self, first: int, second: int, third: int) -> None:
        await self._patch(first, {"price": {"amount": f"{second}.{third:02}", "currency": "EUR"}})

    async def _toggle(self, first: int, second: int, _third: int) -> None:
        await self._patch(first, {"is_active": second % 3 > 0})

    async def _patch(self, first: int, body: dict[str, Any]) -> None:
        url = f"{API}/products/{self.products[first % len(self.products)]['id']}"
        expect(await self.shop.sells.patch(url, json=body, headers={"If-Match": "*"}), {200})

    async def _place(self, first: int, second: int, third: int, **options: Any) -> httpx.Response:
        lines = {self.products[n % len(self.products)]["id"]: n % 5 + 1 for n in (first, second, third)}
        buyer = self.buyers[(first + second + third) % len(self.buyers)]
        answer = await buyer.post(f"{API}/orders", json=order_body(*lines.items()), **options)
        expect(answer, {201, 409, 422})  # 422 where a product is not on offer
        is_new = answer.status_code == 201 and "idempotency-replayed" not in answer.headers
        if is_new:
            self.orders.append((buyer, answer.json()))
        return answer

    async def _repeat(self, first: int, second: int, third: int) -> None:
        """The same order twice, at once or one after another: it is made once."""
        self.keys += 1
        headers = {"Idempotency-Key": f"key-{self.keys}"}
        count = len(self.orders)
        again = [self._place(first, second, third, headers=headers) for _ in range(2)]
        answers = await asyncio.gather(*again) if first % 2 else [await each for each in again]
        assert len(self.orders) - count <= 1
        assert len({each.json()["id"] for each in answers if each.is_success}) <= 1

    async def _crowd(self, first: int, second: int, third: int) -> None:
        """All buyers want the same, at once."""
        await asyncio.gather(*(self._place(first, second, third + n) for n in range(len(self.buyers))))

    async def _time(self, name: str, hurry: int) -> None:
        if name == "settle":
            await self.shop.run_jobs(SETTLE, SEND)
        elif hurry % 3 == 0:
            await expiry(self.shop.app).expire_orders(utc_now() + timedelta(hours=1))

    async def _race(self, buyer: httpx.AsyncClient, order: dict[str, Any], second: int, third: int) -> None:
        """Two or three moves at once: one wins, and the others hear so."""
        rivals = ["pay", "cancel", "staff_cancel", "refund", "ship", "refund_lines"]
        names = {rivals[second % len(rivals)], rivals[third % len(rivals)], rivals[(second + third) % len(rivals)]}
        moves = [self._act(name, buyer, order, second, third) for name in sorted(names)]
        if second % 4 == 0:
            moves.append(self._time("expire", 0))
        await asyncio.gather(*moves)

    async def _act(self, name: str, buyer: httpx.AsyncClient, order: dict[str, Any], second: int, third: int) -> None:
        body: dict[str, Any] = {}
        client = buyer if name in {"pay", "cancel", "notes"} else self.shop.boss
        if name == "notes":
            answer = await client.patch(f"{API}/orders/{order['id']}", json={"notes": f"Floor {second}."})
            expect(answer, {200, 409})
            return
        if name == "pay":
            body = {"json": {"method": METHODS[second % len(METHODS)]}}
        elif name == "refund":
            body = {"json": {"restock": second % 2 == 0}}
        elif name == "refund_lines":
            items = order["items"][: second % len(order["items"]) + 1]
            lines = [(each["product_id"], (third + n) % 5 + 1, (second + n) % 2 == 0) for n, each in enumerate(items)]
            wanted = [dict(zip(("product_id", "quantity", "restock"), line, strict=True)) for line in lines]
            body = {"json": {"items": wanted}}
        verb = {"staff_cancel": "cancel", "refund_lines": "refund"}.get(name, name)
        expect(await self.shop.act(client, order, verb, **body), {200, 202, 402, 409})

    async def check(self) -> None:
        for name, statement in (INVARIANTS | MORE).items():
            assert not await self.shop.rows(statement), name
        for _, order in self.orders:
            check_order(await self.shop.show(order))


def expect(answer: Any, statuses: set[int]) -> None:
    assert answer.status_code in statuses, answer.text


def check_order(order: dict[str, Any]) -> None:
    items = order["items"]
    assert Decimal(order["total"]["amount"]) == sum(Decimal(each["total"]["amount"]) for each in items)
    refunded = sum(Decimal(each["unit_price"]["amount"]) * each["refunded_quantity"] for each in items)
    assert Decimal(order["refunded"]["amount"]) == refunded
    if order["status"] == "refunded":
        assert order["refunded"] == order["total"]


MORE = {
    "what the provider has is what the orders say": """
        SELECT o.id FROM orders o WHERE o.status <> 'pending' AND
          (SELECT coalesce(sum(CASE WHEN t.kind = 'charge' THEN t.amount_units ELSE -t.amount_units END), 0)
           FROM test_provider_transactions t WHERE t.outcome = 'succeeded' AND (
             t.reference IN (SELECT p.id FROM order_payments p WHERE p.order_id = o.id) OR
             t.reference IN (SELECT r.id FROM order_refunds r WHERE r.order_id = o.id)))
          <> CASE WHEN EXISTS (SELECT 1 FROM order_payments p WHERE p.order_id = o.id AND p.status = 'succeeded')
             THEN o.total_units - o.refunded_units ELSE 0 END""",
    "pieces that went back were refunded or called off": """
        SELECT o.id FROM orders o WHERE o.status IN ('pending', 'paid', 'shipped', 'delivered', 'refunded') AND
          (SELECT coalesce(sum(m.delta), 0) FROM stock_movements m WHERE m.order_id = o.id AND m.kind = 'return')
          > (SELECT coalesce(sum(i.refunded_quantity), 0) FROM order_items i WHERE i.order_id = o.id)""",
    "what goes back is what the orders say": """
        SELECT o.id FROM orders o LEFT JOIN order_refunds r ON r.order_id = o.id
        GROUP BY o.id, o.refunded_units HAVING o.refunded_units <> coalesce(sum(r.amount_units), 0)""",
    "only what was charged goes back": """
        SELECT o.id FROM orders o WHERE o.refunded_units > 0 AND o.refunded_units >
          (SELECT coalesce(sum(amount_units), 0) FROM order_payments p
           WHERE p.order_id = o.id AND p.status = 'succeeded')""",
    "an order ends once": """
        SELECT order_id FROM order_events WHERE kind IN ('cancelled', 'expired')
        GROUP BY order_id HAVING count(*) > 1""",
    "the timeline ends where the order is": """
        SELECT o.id FROM orders o WHERE NOT EXISTS
          (SELECT 1 FROM order_events e WHERE e.order_id = o.id AND e.status = o.status)""",
}


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(_steps, min_size=STEPS, max_size=STEPS))
async def test_the_books_balance_after_any_play(app: Litestar, people: People, steps: list[Step]) -> None:
    await forget(app)  # the rate limit counts all plays together
    async with open_shop(app, people) as shop, AsyncExitStack() as stack:
        others = [await stack.enter_async_context(people.client(await people.create())) for _ in range(2)]
        play = Play(shop, others)
        for step in steps:
            await play.step(*step)
        await shop.run_jobs(SETTLE, SEND)
        await play.check()
