from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from app.domain.orders.models import OrderPayment, OrderRefund, SandboxTransaction
from app.domain.orders.rows import PaymentRow, RefundRow, Unsettled
from app.lib.clock import utc_now
from app.lib.db.instants import database_now, database_now_plus
from app.lib.db.prepared import columns_of, one_row
from app.lib.db.repositories import Repository
from app.lib.db.statements import affected, insert_or_ignore

PROCESSING, SUCCEEDED, DECLINED = "processing", "succeeded", "declined"


class PaymentRepository(Repository):
    """Attempts to pay and refunds, in one transaction."""

    async def begin(self, payment: PaymentRow, *, ask_again: float) -> None:
        """Writes an attempt down; unless it has an outcome in so many seconds, somebody else asks for it."""
        await self.unit.session.execute(
            insert(OrderPayment).values(
                created_at=utc_now(), ask_at=database_now_plus(ask_again), **msgspec.structs.asdict(payment)
            )
        )

    async def settle(self, payment_id: UUID, status: str) -> bool:
        """Writes the outcome, unless there is one already; tells whether it did."""
        settled = await self.unit.session.execute(
            update(OrderPayment)
            .where(OrderPayment.id == payment_id, OrderPayment.status == PROCESSING)
            .values(status=status, settled_at=utc_now())
        )
        return affected(settled) == 1

    async def status(self, payment_id: UUID) -> str:
        found = await self.unit.session.execute(select(OrderPayment.status).where(OrderPayment.id == payment_id))
        status: str = found.scalar_one()
        return status

    async def succeeded(self, order_id: UUID) -> UUID:
        """The payment of an order that is paid."""
        found = await self.unit.session.execute(
            select(OrderPayment.id).where(OrderPayment.order_id == order_id, OrderPayment.status == SUCCEEDED)
        )
        return found.scalar_one()

    async def unsettled(self, provider: str, now: datetime | None, limit: int) -> Sequence[Unsettled]:
        """Attempts with a provider whose outcome nobody knows, and that are due to be asked about; the longest due
        first. Without an instant, now.
        """
        found = await self.unit.session.execute(
            select(*columns_of(Unsettled, OrderPayment))
            .where(OrderPayment.provider == provider, *_is_due(OrderPayment, now))
            .order_by(OrderPayment.ask_at)
            .limit(limit)
        )
        return [Unsettled(*row) for row in found]

    async def claim(self, unsettled: Unsettled, *, ask_again: float) -> PaymentRow | None:
        """The attempt, for whoever asks about it now; None if somebody else does, or there is nothing to ask any more.
        The next one may ask in so many seconds.
        """
        found = await self.unit.session.execute(_claim(OrderPayment, unsettled, ask_again, PaymentRow))
        return one_row(found, PaymentRow)

    async def promise_refund(self, refund: RefundRow, order_id: UUID) -> None:
        """To be sent at once."""
        values = {**msgspec.structs.asdict(refund), "order_id": order_id, "status": PROCESSING}
        await self.unit.session.execute(
            insert(OrderRefund).values(created_at=utc_now(), ask_at=database_now(), **values)
        )

    async def unsent_refunds(self, provider: str, now: datetime | None, limit: int) -> Sequence[Unsettled]:
        """Refunds of what a provider has charged, and has not confirmed to have given back; as :meth:`unsettled`."""
        found = await self.unit.session.execute(
            select(*columns_of(Unsettled, OrderRefund))
            .join(OrderPayment, OrderPayment.id == OrderRefund.payment_id)
            .where(OrderPayment.provider == provider, *_is_due(OrderRefund, now))
            .order_by(OrderRefund.ask_at)
            .limit(limit)
        )
        return [Unsettled(*row) for row in found]

    async def claim_refund(self, unsent: Unsettled, *, ask_again: float) -> RefundRow | None:
        """As :meth:`claim`."""
        return one_row(await self.unit.session.execute(_claim(OrderRefund, unsent, ask_again, RefundRow)), RefundRow)

    async def refund_arrived(self, refund_id: UUID) -> None:
        await self.unit.session.execute(
            update(OrderRefund)
            .where(OrderRefund.id == refund_id, OrderRefund.status == PROCESSING)
            .values(status=SUCCEEDED, settled_at=utc_now())
        )


def _is_due(model: type[OrderPayment | OrderRefund], now: datetime | None) -> list[ColumnElement[bool]]:
    return [model.status == PROCESSING, model.ask_at <= (database_now() if now is None else now)]


def _claim(
    model: type[OrderPayment | OrderRefund], unsettled: Unsettled, ask_again: float, row_type: type[msgspec.Struct]
) -> ReturningUpdate[Any]:
    return (
        update(model)
        .where(model.id == unsettled.id, model.status == PROCESSING, model.asks == unsettled.asks)
        .values(asks=model.asks + 1, ask_at=database_now_plus(ask_again))
        .returning(*columns_of(row_type, model))
        .execution_options(synchronize_session=False)
    )


class SandboxLedger(Repository):
    """The books of the built-in test provider."""

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
        await insert_or_ignore(self.unit.session, SandboxTransaction, row)
        counted = await self.unit.session.execute(
            update(SandboxTransaction)
            .where(SandboxTransaction.reference == reference)
            .values(calls=SandboxTransaction.calls + 1)
            .returning(SandboxTransaction.calls)
            .execution_options(synchronize_session=False)
        )
        calls: int = counted.scalar_one()
        return calls
