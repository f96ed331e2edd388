"""What is done for orders while nobody asks: they expire, payments are settled, refunds are sent."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

import structlog

from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.repositories.payments import PROCESSING, PaymentRepository
from app.domain.orders.rows import PaymentRow, RefundRow, Unsettled
from app.domain.orders.services.cancel import CancelService
from app.domain.orders.services.pay import ASK_AGAIN_SECONDS, PaymentService
from app.domain.orders.services.provider import MoneyBack, OutcomeUnknown, PaymentProvider, answer_of
from app.lib.db.engine import Database
from app.lib.db.retries import in_transaction
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.wire.money import Money

T = TypeVar("T")

BATCH = 100
MAX_PAUSE = 3600.0

log = structlog.stdlib.get_logger(__name__)


class OrderHousekeeping:
    """Each order, payment and refund in a transaction of its own, so that one that fails stops no other.

    ``now`` is when things are due; without it, the database's clock says so.
    """

    def __init__(self, database: Database, provider: PaymentProvider, events: Events) -> None:
        self._database = database
        self._provider = provider
        self._events = events
        self._payments = PaymentService(database, provider, events)

    async def expire_orders(self, now: datetime | None = None) -> int:
        """Cancels what was not paid in time, and gives its stock back. How many orders that were."""
        count = 0
        while True:
            async with self._database.independent() as unit:
                due = await OrderRepository(unit).list_overdue(now, BATCH)
            expired = await _each(due, partial(self._expire, now), "order.not_expired")
            count += expired
            if len(due) < BATCH or not expired:
                return count

    async def _expire(self, now: datetime | None, order_id: UUID) -> bool:
        async def work(unit: UnitOfWork) -> bool:
            return await CancelService(unit, self._events).expire(order_id, now)

        return await in_transaction(self._database, work)

    async def settle_payments(self, now: datetime | None = None) -> int:
        """Asks the provider again where the outcome of a payment is not known. How many are known now.

        What was begun with another provider waits until that one is configured again.
        """
        async with self._database.independent() as unit:
            due = await PaymentRepository(unit).unsettled(self._provider.name, now, BATCH)
        return await _each(due, self._settle, "payment.not_settled")

    async def _settle(self, unsettled: Unsettled) -> bool:
        async def claim(unit: UnitOfWork) -> PaymentRow | None:
            return await PaymentRepository(unit).claim(unsettled, ask_again=_pause(unsettled))

        payment = await in_transaction(self._database, claim)
        return payment is not None and await self._payments.settle(payment) != PROCESSING

    async def send_refunds(self, now: datetime | None = None) -> int:
        """Has the provider give back what was promised. How many refunds it has confirmed."""
        async with self._database.independent() as unit:
            due = await PaymentRepository(unit).unsent_refunds(self._provider.name, now, BATCH)
        return await _each(due, self._send, "refund.not_sent")

    async def _send(self, unsent: Unsettled) -> bool:
        async def claim(unit: UnitOfWork) -> RefundRow | None:
            return await PaymentRepository(unit).claim_refund(unsent, ask_again=_pause(unsent))

        refund = await in_transaction(self._database, claim)
        if refund is None:
            return False
        amount = Money.from_minor_units(refund.amount_units, refund.currency)
        money_back = MoneyBack(reference=refund.id, charge=refund.payment_id, amount=amount)
        try:
            await answer_of(self._provider.refund(money_back), "refund", refund_id=str(refund.id))
        except OutcomeUnknown:
            return False
        async with self._database.independent() as unit:
            await PaymentRepository(unit).refund_arrived(refund.id)
        return True


def _pause(unsettled: Unsettled) -> float:
    """Seconds until the provider is asked again: twice as many each time. They count from before it is asked, so that
    one that dies of the question is left alone as well.
    """
    return min(ASK_AGAIN_SECONDS * 2.0 ** min(unsettled.asks + 1, 16), MAX_PAUSE)


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[bool]], failure: str) -> int:
    """For how many the work was done; what fails is left for the next time."""
    done = 0
    for item in items:
        try:
            done += await work(item)
        except Exception:
            log.exception(failure, item=str(item))
    return done
