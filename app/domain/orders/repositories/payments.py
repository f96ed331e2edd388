from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import asdict
from sqlalchemy import bindparam, insert, select, update

from app.domain.orders.models import OrderPayment, OrderRefund, SandboxTransaction
from app.domain.orders.rows import OrderRow, PaymentRow, RefundLine, RefundRow
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.repositories import Repository
from app.lib.db.statements import insert_or_update

PROCESSING, SUCCEEDED, DECLINED = "processing", "succeeded", "declined"

_payments, _refunds, _ledger = table_of(OrderPayment), table_of(OrderRefund), table_of(SandboxTransaction)

_insert = prepare(insert(_payments))
_get = prepare(
    select(*columns_of(PaymentRow, OrderPayment)).where(_payments.c.id == bindparam("payment_id")), PaymentRow
)
_settle = prepare(
    update(_payments)
    .where(_payments.c.id == bindparam("payment_id"), _payments.c.status == PROCESSING)
    .values(status=bindparam("outcome"), settled_at=bindparam("now"))
)
_succeeded = prepare(
    select(_payments.c.id).where(_payments.c.order_id == bindparam("order_id"), _payments.c.status == SUCCEEDED), UUID
)
_insert_refund = prepare(insert(_refunds))
_get_refund = prepare(
    select(*columns_of(RefundRow, OrderRefund, provider=OrderPayment.provider))
    .join(OrderPayment, OrderPayment.id == OrderRefund.payment_id)
    .where(_refunds.c.id == bindparam("refund_id")),
    RefundRow,
)
_settle_refund = prepare(
    update(_refunds)
    .where(_refunds.c.id == bindparam("refund_id"), _refunds.c.status == PROCESSING)
    .values(status=SUCCEEDED, settled_at=bindparam("now"))
)
_enter = prepare(
    insert_or_update(_ledger)
    .on_conflict_do_update(index_elements=[_ledger.c.reference], set_={"calls": _ledger.c.calls + 1})
    .returning(_ledger.c.calls),
    int,
)


class PaymentRepository(Repository):
    """Attempts to pay, and refunds."""

    async def create(self, payment: PaymentRow) -> None:
        await self.unit.execute(_insert, created_at=utc_now(), settled_at=None, **asdict(payment))

    async def get(self, payment_id: UUID) -> PaymentRow | None:
        return await self.unit.first(_get, payment_id=payment_id)

    async def settle(self, payment_id: UUID, outcome: str) -> bool:
        """Writes the outcome. False when there is one already."""
        return await self.unit.execute(_settle, payment_id=payment_id, outcome=outcome, now=utc_now()) == 1

    async def create_refund(self, order: OrderRow, amount_units: int, lines: Sequence[RefundLine]) -> UUID:
        """A refund of the payment that succeeded. Returns its id."""
        payment_id = await self.unit.first(_succeeded, order_id=order.id)
        refund_id = new_id()
        await self.unit.execute(
            _insert_refund,
            id=refund_id,
            order_id=order.id,
            payment_id=payment_id,
            status=PROCESSING,
            lines=msgspec.to_builtins(lines),
            amount_units=amount_units,
            currency=order.currency,
            created_at=utc_now(),
            settled_at=None,
        )
        return refund_id

    async def get_refund(self, refund_id: UUID) -> RefundRow | None:
        return await self.unit.first(_get_refund, refund_id=refund_id)

    async def settle_refund(self, refund_id: UUID) -> None:
        await self.unit.execute(_settle_refund, refund_id=refund_id, now=utc_now())


class SandboxLedger(Repository):
    """The ledger of the built-in test provider."""

    async def enter(self, reference: UUID, **values: Any) -> int:
        """Enters a transaction once. Returns how often that was asked for."""
        calls = await self.unit.first(_enter, reference=reference, calls=1, created_at=utc_now(), **values)
        return calls or 0
