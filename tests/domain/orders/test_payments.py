"""Payments: charged once, even if requests are repeated, late or of unknown outcome."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.orders.repositories.payments import PAYMENT
from app.domain.orders.services.pay import PaymentService
from app.domain.orders.services.provider import Charge, MoneyBack, Outcome, PaymentProvider
from app.lib.clock import utc_now
from app.lib.db.versions import IfMatch
from tests.support.apps import core_of
from tests.support.people import People
from tests.support.shop import API, SETTLE, Shop, expiry

BOOKS = "SELECT kind, outcome, amount_units, calls FROM test_provider_transactions ORDER BY created_at"


async def order_of_one(shop: Shop) -> dict[str, Any]:
    product = await shop.product(amount="5.00")
    return await shop.order((product["id"], 1))


async def attempts(shop: Shop) -> list[str]:
    return [row.status for row in await shop.rows("SELECT status FROM order_payments ORDER BY created_at")]


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"json": {"method": "test"}}])
async def test_the_owner_pays_with_or_without_a_body(shop: Shop, options: dict[str, Any]) -> None:
    order = await order_of_one(shop)

    answer = await shop.act(shop.buys, order, "pay", **options)

    assert (answer.status_code, answer.json()["status"], answer.json()["expires_at"]) == (200, "paid", None)
    assert [tuple(row) for row in await shop.rows(BOOKS)] == [("charge", "succeeded", 500, 1)]


async def test_a_declined_payment_leaves_the_order_to_be_paid(shop: Shop) -> None:
    order = await order_of_one(shop)

    declined = await shop.act(shop.buys, order, "pay", json={"method": "test_decline"})
    between = await shop.show(order)
    paid = await shop.act(shop.buys, order, "pay")

    assert (declined.status_code, declined.json()["code"]) == (402, "payment_declined")
    assert (between["status"], between["payment_processing"]) == ("pending", False)
    assert paid.json()["status"] == "paid"
    assert await attempts(shop) == ["declined", "succeeded"]


async def test_paying_is_for_the_version_that_was_seen(shop: Shop) -> None:
    order = await order_of_one(shop)

    stale = await shop.act(shop.buys, order, "pay", headers={"If-Match": '"7"'})
    between = await attempts(shop)
    seen = await shop.act(shop.buys, order, "pay", headers={"If-Match": '"1"'})

    assert [stale.status_code, between, seen.status_code] == [412, [], 200]


async def test_attempts_are_listed_for_the_owner_and_who_reads_orders(shop: Shop, people: People) -> None:
    order = await order_of_one(shop)
    for method in ("test_decline", "test_timeout"):
        await shop.act(shop.buys, order, "pay", json={"method": method})
    url = f"{API}/orders/{order['id']}/payments"

    own, read = (await shop.buys.get(url)).json()["items"], (await shop.boss.get(url)).json()["items"]
    async with people.client(await people.create(permissions=["orders:write"])) as stranger:
        foreign = await stranger.get(url)
    await shop.run_jobs(SETTLE)
    settled = (await shop.buys.get(url)).json()["items"]

    assert own == read
    assert [(each["method"], each["status"], each["settled_at"] is None) for each in own] == [
        ("test_decline", "declined", False),
        ("test_timeout", "processing", True),
    ]
    assert own[0]["amount"] == {"amount": "5.00", "currency": "EUR"}
    assert (settled[1]["status"], settled[1]["settled_at"] is None) == ("succeeded", False)
    assert foreign.status_code == 404


async def test_a_method_that_the_provider_does_not_know_is_refused(shop: Shop) -> None:
    order = await order_of_one(shop)

    answer = await shop.act(shop.buys, order, "pay", json={"method": "gold"})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/method")
    assert await attempts(shop) == []


async def test_an_unknown_outcome_is_settled_later_and_nothing_overtakes_it(shop: Shop) -> None:
    order = await order_of_one(shop)

    answer = await shop.act(shop.buys, order, "pay", json={"method": "test_timeout"})
    again = await shop.act(shop.buys, order, "pay")
    cancelled = await shop.act(shop.buys, order, "cancel")
    expired = await expiry(shop.app).expire_orders(utc_now() + timedelta(days=1))
    between = await shop.show(order)
    settled = await shop.run_jobs(SETTLE)

    assert (answer.status_code, answer.json()["status"], answer.json()["payment_processing"]) == (202, "pending", True)
    assert (answer.headers["Retry-After"], answer.headers["ETag"]) == ("20", '"2"')
    assert [each.status_code for each in (again, cancelled)] == [409, 409]
    assert {each.json()["code"] for each in (again, cancelled)} == {"invalid_state"}
    assert (expired, between["status"], settled) == (0, "pending", ["succeeded"])
    assert (await shop.show(order))["status"] == "paid"
    assert [tuple(row) for row in await shop.rows(BOOKS)] == [("charge", "succeeded", 500, 2)]
    assert await shop.run_jobs(SETTLE) == []


async def test_attempts_that_a_request_may_still_wait_for_are_left_alone(shop: Shop) -> None:
    order = await order_of_one(shop)
    await shop.act(shop.buys, order, "pay", json={"method": "test_timeout"})

    assert await shop.run_jobs(SETTLE, at_once=False) == []


async def test_a_request_that_arrives_twice_charges_once(shop: Shop) -> None:
    order = await order_of_one(shop)

    answer = await shop.act(shop.buys, order, "pay", json={"method": "test_twice"})

    assert answer.json()["status"] == "paid"
    assert [tuple(row) for row in await shop.rows(BOOKS)] == [("charge", "succeeded", 500, 2)]
    assert await shop.timeline(order) == ["placed", "paid"]


async def test_many_who_pay_an_order_at_once_pay_it_once(shop: Shop) -> None:
    order = await order_of_one(shop)

    answers = await asyncio.gather(*(shop.act(shop.buys, order, "pay") for _ in range(10)))

    assert Counter(each.status_code for each in answers) == {200: 1, 409: 9}
    assert await attempts(shop) == ["succeeded"]
    assert len(await shop.rows(BOOKS)) == 1


async def test_paying_and_cancelling_at_once_ends_in_one_of_both(shop: Shop) -> None:
    product = await shop.product(amount="5.00", stock=20)
    for _ in range(5):
        order = await shop.order((product["id"], 1))

        paid, cancelled = await asyncio.gather(shop.act(shop.buys, order, "pay"), shop.act(shop.buys, order, "cancel"))

        assert sorted([paid.status_code, cancelled.status_code]) == [200, 409]
        assert (await shop.show(order))["status"] == ("paid" if paid.is_success else "cancelled")
    sold = await shop.rows("SELECT count(*) FROM orders WHERE status = 'paid'")
    assert await shop.stock(product) == 20 - sold[0][0]


class Crash(BaseException):
    """The process is gone."""


class DiesAfterCharging:
    """The process dies after the provider has charged, and before the outcome was written."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self.name: str = provider.name
        self.methods: frozenset[str] = provider.methods

    async def charge(self, charge: Charge) -> Outcome:
        await self._provider.charge(charge)
        raise Crash

    async def refund(self, refund: MoneyBack) -> None:
        raise AssertionError(refund)


async def test_a_crash_after_the_charge_is_settled_by_the_job(shop: Shop) -> None:
    order = await order_of_one(shop)
    core = core_of(shop.app)
    provider = DiesAfterCharging(core.services.get(PaymentProvider))
    payments = PaymentService(core.database, provider, core_of(shop.app).events)
    principal = await core.services.get(SessionAuthenticator).authenticate(shop.customer.access_token)
    with pytest.raises(Crash):
        await payments.pay(UUID(order["id"]), "test", IfMatch(), principal)

    settled = await shop.run_jobs(SETTLE)

    assert (settled, (await shop.show(order))["status"]) == (["succeeded"], "paid")
    assert [tuple(row) for row in await shop.rows(BOOKS)] == [("charge", "succeeded", 500, 2)]


async def test_settling_twice_at_once_writes_one_outcome(shop: Shop) -> None:
    order = await order_of_one(shop)
    await shop.act(shop.buys, order, "pay", json={"method": "test_timeout"})
    core = core_of(shop.app)
    async with core.database.independent() as unit:
        payment_id = UUID(str((await shop.rows("SELECT id FROM order_payments"))[0].id))
        payment = await unit.first(PAYMENT, payment_id=payment_id)
    assert payment is not None

    await asyncio.gather(*(core.services.build(PaymentService).settle(payment) for _ in range(4)))

    assert await shop.timeline(order) == ["placed", "paid"]
    assert await attempts(shop) == ["succeeded"]
