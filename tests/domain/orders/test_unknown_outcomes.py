"""A provider that breaks, hangs or never says: no order is lost over it, and none waits for another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.domain.orders.models import OrderPayment
from app.domain.orders.services import housekeeping as keeping
from app.domain.orders.services import provider as providers
from app.domain.orders.services.housekeeping import OrderHousekeeping
from app.domain.orders.services.provider import Charge, MoneyBack, Outcome, OutcomeUnknown, PaymentProvider
from app.lib.clock import utc_now
from tests.domain.orders.test_payments import housekeeping, later
from tests.support.apps import core_of
from tests.support.shop import Shop

ASK_AT = select(OrderPayment.ask_at)


class Broken:
    """Another company's service, on a bad day. ``good`` are the references that it still answers for."""

    def __init__(self, real: PaymentProvider, trouble: Exception | None) -> None:
        self.name, self.methods = real.name, real.methods
        self.trouble = trouble
        self.asked: list[UUID] = []
        self.good: set[UUID] = set()

    async def charge(self, charge: Charge) -> Outcome:
        await self._answer(charge.reference)
        return Outcome.SUCCEEDED

    async def refund(self, refund: MoneyBack) -> None:
        await self._answer(refund.reference)

    async def _answer(self, reference: UUID) -> None:
        self.asked.append(reference)
        if reference in self.good:
            return
        if self.trouble is None:
            await asyncio.Event().wait()
        else:
            raise self.trouble


@asynccontextmanager
async def trouble_at(shop: Shop, trouble: Exception | None) -> AsyncIterator[Broken]:
    """The provider of the app breaks, and later works again."""
    real = core_of(shop.app).services.get(PaymentProvider)
    broken = Broken(real, trouble)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(real, "charge", broken.charge)
        patch.setattr(real, "refund", broken.refund)
        patch.setattr(providers, "PROVIDER_SECONDS", 0.3)
        yield broken


@pytest.mark.parametrize("trouble", [ValueError("not JSON"), OSError("reset"), OutcomeUnknown(), None])
async def test_whatever_goes_wrong_at_the_provider_is_an_unknown_outcome(shop: Shop, trouble: Exception | None) -> None:
    order = await shop.order(((await shop.product())["id"], 1))

    async with trouble_at(shop, trouble):
        answer = await shop.act(shop.buys, order, "pay")

    assert (answer.status_code, answer.json()["payment_processing"]) == (202, True)
    assert await housekeeping(shop.app).settle_payments(later()) == 1
    assert (await shop.show(order))["status"] == "paid"


@pytest.mark.parametrize("trouble", [ValueError("not JSON"), None])
async def test_a_refund_that_fails_stops_no_other(shop: Shop, trouble: Exception | None) -> None:
    product = await shop.product()
    for _ in range(3):
        await shop.act(shop.boss, await shop.paid((product["id"], 1)), "refund")
    [(first,), *_others] = await shop.rows("SELECT id FROM order_refunds ORDER BY created_at")

    async with trouble_at(shop, trouble) as broken:
        broken.good = {UUID(str(row.id)) for row in await shop.rows("SELECT id FROM order_refunds")} - {
            UUID(str(first))
        }
        sent = await housekeeping(shop.app).send_refunds()

    assert (sent, len(broken.asked)) == (2, 3)
    assert await housekeeping(shop.app).send_refunds() == 0  # not at once again
    assert await housekeeping(shop.app).send_refunds(later()) == 1


async def test_a_payment_that_fails_stops_no_other(shop: Shop) -> None:
    product = await shop.product()
    orders = [await shop.order((product["id"], 1)) for _ in range(3)]
    for order in orders:
        await shop.act(shop.buys, order, "pay", json={"method": "test_timeout"})
    [(first,), *others] = await shop.rows("SELECT id FROM order_payments ORDER BY created_at")

    async with trouble_at(shop, RuntimeError("a bug of theirs")) as broken:
        broken.good = {UUID(str(row.id)) for row in others}
        settled = await housekeeping(shop.app).settle_payments(later())

    assert (settled, broken.asked[0]) == (2, UUID(str(first)))
    assert [(await shop.show(each))["status"] for each in orders] == ["pending", "paid", "paid"]


async def test_what_stays_unknown_is_asked_about_ever_less_often(shop: Shop) -> None:
    order = await shop.order(((await shop.product())["id"], 1))

    async with trouble_at(shop, OutcomeUnknown()) as broken:
        await shop.act(shop.buys, order, "pay")
        due = [await next_ask(shop)]
        for _ in range(9):
            await housekeeping(shop.app).settle_payments(later())
            due.append(await next_ask(shop))

    assert len(broken.asked) == 10
    assert [round(each / 15) for each in due[:8]] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert {round(each / 60) for each in due[8:]} == {60}


async def next_ask(shop: Shop) -> float:
    """In how many seconds."""
    core = core_of(shop.app)
    async with core.database.independent() as unit:
        found: Any = (await unit.session.execute(ASK_AT)).scalar_one()
    return float((found - utc_now()).total_seconds())


async def test_a_whole_batch_that_stays_unknown_keeps_nobody_waiting(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "BATCH", 3)
    product = await shop.product()
    keeper: OrderHousekeeping = housekeeping(shop.app)
    for _ in range(4):
        await shop.act(shop.boss, await shop.paid((product["id"], 1)), "refund")
    rows = await shop.rows("SELECT id FROM order_refunds ORDER BY created_at")

    async with trouble_at(shop, OutcomeUnknown()) as broken:
        broken.good = {UUID(str(rows[-1].id))}
        assert await keeper.send_refunds() == 0
        assert await keeper.send_refunds() == 1
        assert await keeper.send_refunds(utc_now() + timedelta(seconds=20)) == 0

    assert len(broken.asked) == 4
