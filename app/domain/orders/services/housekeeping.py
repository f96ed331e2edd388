"""What is done for orders while nobody asks: they expire, payments are settled, refunds are sent."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog

from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.repositories.payments import PROCESSING, PaymentRepository
from app.domain.orders.rows import RefundRow
from app.domain.orders.services.moving import MovingService
from app.domain.orders.services.paying import PROVIDER_SECONDS, PaymentService
from app.domain.orders.services.provider import MoneyBack, OutcomeUnknown, PaymentProvider
from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.retries import in_transaction
from app.lib.db.uow import UnitOfWork
from app.lib.money import Money
from app.lib.outbox import Outbox

BATCH = 100
SETTLE_AFTER = timedelta(minutes=1)
"""Longer than any request waits for the provider, so that nobody is asked behind the back of a request."""

log = structlog.stdlib.get_logger(__name__)


class OrderHousekeeping:
    """Each order, payment and refund in a transaction of its own, so that one that fails stops no other."""

    def __init__(self, database: Database, provider: PaymentProvider, outbox: Outbox) -> None:
        self._database = database
        self._provider = provider
        self._outbox = outbox
        self._payments = PaymentService(database, provider, outbox)

    async def expire_orders(self, now: datetime | None = None) -> int:
        """Cancels what was not paid in time, and gives its stock back. How many orders that were."""
        now = now or utc_now()
        count = 0
        while True:
            async with self._database.independent() as unit:
                due = await OrderRepository(unit.session).expired(now, BATCH)
            expired = 0
            for order_id in due:
                expired += await in_transaction(self._database, partial(self._expire, order_id, now))
            count += expired
            if len(due) < BATCH or not expired:
                return count

    async def _expire(self, order_id: UUID, now: datetime, unit: UnitOfWork) -> bool:
        return await MovingService(unit, self._outbox).expire(order_id, now)

    async def settle_payments(self, older_than: timedelta = SETTLE_AFTER) -> int:
        """Asks the provider again where the outcome of a payment is not known. How many are known now.

        What was begun with another provider waits until that one is configured again.
        """
        async with self._database.independent() as unit:
            unsettled = await PaymentRepository(unit.session).unsettled(
                self._provider.name, utc_now() - older_than, BATCH
            )
        known = 0
        for payment in unsettled:
            known += await self._payments.settle(payment) != PROCESSING
        return known

    async def send_refunds(self) -> int:
        """Has the provider give back what was promised. How many refunds it has confirmed."""
        async with self._database.independent() as unit:
            unsent = await PaymentRepository(unit.session).unsent_refunds(self._provider.name, BATCH)
        sent = 0
        for refund in unsent:
            sent += await self._send(refund)
        return sent

    async def _send(self, refund: RefundRow) -> bool:
        amount = Money.from_minor_units(refund.amount_units, refund.currency)
        try:
            async with asyncio.timeout(PROVIDER_SECONDS):
                await self._provider.refund(MoneyBack(reference=refund.id, charge=refund.payment_id, amount=amount))
        except (OutcomeUnknown, TimeoutError):
            log.warning("refund.outcome_unknown", refund_id=str(refund.id))
            return False
        async with self._database.independent() as unit:
            await PaymentRepository(unit.session).refund_arrived(refund.id)
        return True
