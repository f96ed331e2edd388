"""Hypothesis plays customers, staff and the passing of time; the books balance after every play.

A play is a list of steps with numbers in them, which choose among what there is when it comes to the step.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar

from app.lib.clock import utc_now
from tests.domain.orders.test_payments import housekeeping
from tests.support.killing import INVARIANTS
from tests.support.people import People
from tests.support.shop import API, Shop, open_shop, order_body

Step = tuple[str, int, int, int]

EXAMPLES = 12
STEPS = 25
METHODS = ("test", "test", "test", "test_decline", "test_timeout", "test_twice")

_number = st.integers(0, 30)
_steps = st.tuples(
    st.sampled_from(
        ["product", "adjust", "reprice"]
        + ["place"] * 6
        + ["pay"] * 5
        + ["cancel", "staff_cancel", "ship", "deliver", "expire", "settle", "refund", "refund", "refund_lines"]
    ),
    _number,
    _number,
    _number,
)


class Play:
    """What there is, and what a step does with it. Whatever it answers, it must not be a fault."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.products: list[dict[str, Any]] = []
        self.orders: list[dict[str, Any]] = []

    async def step(self, name: str, first: int, second: int, third: int) -> None:
        if not self.products or name == "product":
            self.products.append(await self.shop.product(stock=first, amount=f"{second}.{third:02}"))
        elif name in {"adjust", "reprice", "place"}:
            await getattr(self, f"_{name}")(first, second, third)
        elif name in {"expire", "settle"}:
            await self._time(name, second)
        elif self.orders:
            await self._act(name, self.orders[first % len(self.orders)], second, third)

    async def _adjust(self, first: int, second: int, third: int) -> None:
        product = self.products[first % len(self.products)]
        body = {"delta": second - third or 1, "reason": "Count"}
        expect(await self.shop.sells.post(f"{API}/products/{product['id']}/stock", json=body), {200, 409})

    async def _reprice(self, first: int, second: int, third: int) -> None:
        url = f"{API}/products/{self.products[first % len(self.products)]['id']}"
        tag = (await self.shop.sells.get(url)).headers["etag"]
        body = {"price": {"amount": f"{second}.{third:02}", "currency": "EUR"}}
        expect(await self.shop.sells.patch(url, json=body, headers={"If-Match": tag}), {200})

    async def _place(self, first: int, second: int, third: int) -> None:
        lines = {self.products[n % len(self.products)]["id"]: n % 5 + 1 for n in (first, second, third)}
        answer = await self.shop.buys.post(f"{API}/orders", json=order_body(*lines.items()))
        expect(answer, {201, 409})
        if answer.status_code == 201:
            self.orders.append(answer.json())

    async def _time(self, name: str, hurry: int) -> None:
        keeper = housekeeping(self.shop.app)
        if name == "settle":
            await keeper.settle_payments(timedelta(0))
            await keeper.send_refunds()
        elif hurry % 3 == 0:
            await keeper.expire_orders(utc_now() + timedelta(hours=1))

    async def _act(self, name: str, order: dict[str, Any], second: int, third: int) -> None:
        body: dict[str, Any] = {}
        client = self.shop.buys if name in {"pay", "cancel"} else self.shop.boss
        if name == "pay":
            body = {"json": {"method": METHODS[second % len(METHODS)]}}
        elif name == "refund":
            body = {"json": {"restock": second % 2 == 0}}
        elif name == "refund_lines":
            item = order["items"][second % len(order["items"])]
            line = {"product_id": item["product_id"], "quantity": third % 5 + 1, "restock": second % 2 == 0}
            body = {"json": {"items": [line]}}
        verb = {"staff_cancel": "cancel", "refund_lines": "refund"}.get(name, name)
        expect(await self.shop.act(client, order, verb, **body), {200, 202, 402, 409})

    async def check(self) -> None:
        for name, statement in (INVARIANTS | MORE).items():
            assert not await self.shop.rows(statement), name
        for order in self.orders:
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
async def test_the_books_balance_whatever_is_played(app: Litestar, people: People, steps: list[Step]) -> None:
    async with open_shop(app, people) as shop:
        play = Play(shop)
        for step in steps:
            await play.step(*step)
        await housekeeping(app).settle_payments(timedelta(0))
        await play.check()
