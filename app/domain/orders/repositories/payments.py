from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.orders.models import OrderPayment, OrderRefund, TestTransaction
from app.domain.orders.rows import PaymentRow, RefundRow
from app.lib.clock import utc_now
from app.lib.db.prepared import columns_of
from app.lib.db.statements import affected, insert_or_ignore

PROCESSING, SUCCEEDED, DECLINED = "processing", "succeeded", "declined"


class PaymentRepository:
    """Attempts to pay and refunds, in one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def begin(self, payment: PaymentRow) -> None:
        values = {name: getattr(payment, name) for name in PaymentRow.__struct_fields__}
        await self._session.execute(insert(OrderPayment).values(created_at=utc_now(), **values))

    async def settle(self, payment_id: UUID, status: str) -> bool:
        """Writes the outcome, unless there is one already; tells whether it did."""
        settled = await self._session.execute(
            update(OrderPayment)
            .where(OrderPayment.id == payment_id, OrderPayment.status == PROCESSING)
            .values(status=status, settled_at=utc_now())
        )
        return affected(settled) == 1

    async def status(self, payment_id: UUID) -> str:
        found = await self._session.execute(select(OrderPayment.status).where(OrderPayment.id == payment_id))
        status: str = found.scalar_one()
        return status

    async def succeeded(self, order_id: UUID) -> UUID:
        """The payment of an order that is paid."""
        found = await self._session.execute(
            select(OrderPayment.id).where(OrderPayment.order_id == order_id, OrderPayment.status == SUCCEEDED)
        )
        return found.scalar_one()

    async def unsettled(self, provider: str, begun_before: datetime, limit: int) -> Sequence[PaymentRow]:
        """Attempts with a provider whose outcome nobody knows, oldest first."""
        found = await self._session.execute(
            select(*columns_of(PaymentRow, OrderPayment))
            .where(
                OrderPayment.status == PROCESSING,
                OrderPayment.created_at < begun_before,
                OrderPayment.provider == provider,
            )
            .order_by(OrderPayment.created_at)
            .limit(limit)
        )
        return [PaymentRow(*row) for row in found]

    async def promise_refund(self, refund: RefundRow, order_id: UUID) -> None:
        values = {name: getattr(refund, name) for name in RefundRow.__struct_fields__}
        await self._session.execute(
            insert(OrderRefund).values(order_id=order_id, status=PROCESSING, created_at=utc_now(), **values)
        )

    async def unsent_refunds(self, provider: str, limit: int) -> Sequence[RefundRow]:
        """Refunds of what a provider has charged, and has not confirmed to have given back; oldest first."""
        found = await self._session.execute(
            select(*columns_of(RefundRow, OrderRefund))
            .join(OrderPayment, OrderPayment.id == OrderRefund.payment_id)
            .where(OrderRefund.status == PROCESSING, OrderPayment.provider == provider)
            .order_by(OrderRefund.created_at)
            .limit(limit)
        )
        return [RefundRow(*row) for row in found]

    async def refund_arrived(self, refund_id: UUID) -> None:
        await self._session.execute(
            update(OrderRefund)
            .where(OrderRefund.id == refund_id, OrderRefund.status == PROCESSING)
            .values(status=SUCCEEDED, settled_at=utc_now())
        )


class TestBooks:
    """The books of the built-in test provider."""

    __test__ = False  # no test case, whatever its name

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def enter(
        self, reference: UUID, kind: str, outcome: str, payment: PaymentRow | RefundRow, method: str
    ) -> int:
        """Enters a transaction once, however often it is asked for; how often that was."""
        row = {
            "reference": reference,
            "kind": kind,
            "outcome": outcome,
            "method": method,
            "amount_units": payment.amount_units,
            "currency": payment.currency,
            "calls": 0,
            "created_at": utc_now(),
        }
        await insert_or_ignore(self._session, TestTransaction, row)
        counted = await self._session.execute(
            update(TestTransaction)
            .where(TestTransaction.reference == reference)
            .values(calls=TestTransaction.calls + 1)
            .returning(TestTransaction.calls)
            .execution_options(synchronize_session=False)
        )
        calls: int = counted.scalar_one()
        return calls
