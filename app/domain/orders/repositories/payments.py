from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, insert, select, update

from app.domain.orders.models import OrderPayment, OrderRefund, SandboxTransaction
from app.domain.orders.rows import OrderRow, PaymentRow, RefundLine, RefundRow
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.statements import insert_or_update
from app.lib.db.uow import UnitOfWork

PROCESSING, SUCCEEDED, DECLINED = "processing", "succeeded", "declined"

_payments, _refunds, _ledger = table_of(OrderPayment), table_of(OrderRefund), table_of(SandboxTransaction)

CREATE_PAYMENT = prepare(insert(_payments))
PAYMENT = prepare(
    select(*columns_of(PaymentRow, OrderPayment)).where(_payments.c.id == bindparam("payment_id")), PaymentRow
)
SETTLE_PAYMENT = prepare(
    update(_payments)
    .where(_payments.c.id == bindparam("payment_id"), _payments.c.status == PROCESSING)
    .values(status=bindparam("outcome"), settled_at=bindparam("now"))
)
_succeeded = prepare(
    select(_payments.c.id).where(_payments.c.order_id == bindparam("order_id"), _payments.c.status == SUCCEEDED), UUID
)
_insert_refund = prepare(insert(_refunds))
REFUND = prepare(
    select(*columns_of(RefundRow, OrderRefund, provider=OrderPayment.provider))
    .join(OrderPayment, OrderPayment.id == OrderRefund.payment_id)
    .where(_refunds.c.id == bindparam("refund_id")),
    RefundRow,
)
SETTLE_REFUND = prepare(
    update(_refunds)
    .where(_refunds.c.id == bindparam("refund_id"), _refunds.c.status == PROCESSING)
    .values(status=SUCCEEDED, settled_at=bindparam("now"))
)
ENTER = prepare(
    insert_or_update(_ledger)
    .on_conflict_do_update(index_elements=[_ledger.c.reference], set_={"calls": _ledger.c.calls + 1})
    .returning(_ledger.c.calls),
    int,
)


async def create_refund(unit: UnitOfWork, order: OrderRow, amount_units: int, lines: Sequence[RefundLine]) -> UUID:
    """A refund of the payment that succeeded. Returns its id."""
    payment_id = await unit.first(_succeeded, order_id=order.id)
    refund_id = new_id()
    await unit.execute(
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
