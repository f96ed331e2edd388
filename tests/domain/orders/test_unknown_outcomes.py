"""A provider that breaks, hangs or does not answer: no order is lost, and none waits for another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from app.domain.orders.services import provider as providers
from app.domain.orders.services.pay import FIRST_ASKED_AFTER, settle_payment
from app.domain.orders.services.provider import (
    ASK_AGAIN,
    PROVIDER_SECONDS,
    Charge,
    MoneyBack,
    Outcome,
    OutcomeUnknown,
    PaymentProvider,
)
from app.domain.orders.services.refund import send_refund
from tests.support.apps import core_of
from tests.support.shop import SEND, SETTLE, Shop


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
async def test_any_failure_of_the_provider_is_an_unknown_outcome(shop: Shop, trouble: Exception | None) -> None:
    order = await shop.order(((await shop.product())["id"], 1))

    async with trouble_at(shop, trouble):
        answer = await shop.act(shop.buys, order, "pay")

    assert (answer.status_code, answer.json()["payment_processing"]) == (202, True)
    assert await shop.run_jobs(SETTLE) == ["succeeded"]
    assert (await shop.show(order))["status"] == "paid"


@pytest.mark.parametrize("trouble", [ValueError("not JSON"), None])
async def test_a_refund_that_fails_stops_no_other(shop: Shop, trouble: Exception | None) -> None:
    product = await shop.product()
    for _ in range(3):
        await shop.act(shop.boss, await shop.paid((product["id"], 1)), "refund")
    ids = [UUID(str(row.id)) for row in await shop.rows("SELECT id FROM order_refunds ORDER BY created_at")]

    async with trouble_at(shop, trouble) as broken:
        broken.good = set(ids[1:])
        sent = await shop.run_jobs(SEND, at_once=False)

    assert (sent, len(broken.asked)) == (["retry", "succeeded", "succeeded"], 3)
    assert await shop.run_jobs(SEND, at_once=False) == []
    assert await shop.run_jobs(SEND) == ["succeeded"]


async def test_a_payment_that_fails_stops_no_other(shop: Shop) -> None:
    product = await shop.product()
    orders = [await shop.order((product["id"], 1)) for _ in range(3)]
    for order in orders:
        await shop.act(shop.buys, order, "pay", json={"method": "test_timeout"})
    ids = [UUID(str(row.id)) for row in await shop.rows("SELECT id FROM order_payments ORDER BY created_at")]

    async with trouble_at(shop, RuntimeError("a bug of theirs")) as broken:
        broken.good = set(ids[1:])
        settled = await shop.run_jobs(SETTLE)

    assert settled == ["retry", "succeeded", "succeeded"]
    assert [(await shop.show(each))["status"] for each in orders] == ["pending", "paid", "paid"]


def test_an_unknown_outcome_is_asked_for_less_and_less_often() -> None:
    waits = [ASK_AGAIN.wait_after(attempt) for attempt in range(1, 10)]

    assert [FIRST_ASKED_AFTER, *waits[:7]] == [15, 30, 60, 120, 240, 480, 960, 1920]
    assert set(waits[7:]) == {3600}
    assert FIRST_ASKED_AFTER > PROVIDER_SECONDS
    assert settle_payment.retry is send_refund.retry is ASK_AGAIN
