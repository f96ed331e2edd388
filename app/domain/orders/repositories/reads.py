from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, select

from app.domain.orders.models import Order, OrderEvent, OrderItem, OrderPayment, OrderRefund
from app.domain.orders.rows import AttemptRow, EventRow, ItemRow, OrderRow, RefundListRow
from app.lib.db.prepared import PreparedIn, columns_of, prepare
from app.lib.pagination.envelope import Page
from app.lib.pagination.filters import at_least, at_most, custom, equals, times
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey

_orders = select(*columns_of(OrderRow, Order, metadata=Order.metadata_))
ORDER = prepare(_orders.where(Order.id == bindparam("order_id")), OrderRow)


def _has_product(products: Sequence[BindParameter[Any]]) -> ColumnElement[bool]:
    return Order.id.in_(select(OrderItem.order_id).where(OrderItem.product_id.in_(products)))


_SORTS = (
    SortKey("created_at", Order.created_at, datetime),
    SortKey("updated_at", Order.updated_at, datetime),
    SortKey("total", Order.total_units, int),
)

ORDER_LIST = ListQuery(
    "orders",
    Page[OrderRow],
    _orders,
    identity=Order.id,
    sorts=_SORTS,
    default_sort="-created_at",
    filters=(
        equals("number", Order.number),
        equals("owner_id", Order.customer_id),
        equals("customer_id", Order.customer_id),
        equals("status", Order.status),
        equals("currency", Order.currency),
        at_least("min_total", Order.total_units),
        at_most("max_total", Order.total_units),
        custom("product_id", OrderItem.product_id.type, _has_product, repeatable=True),
        *times(Order),
    ),
)

EVENT_LIST = ListQuery(
    "order_events",
    Page[EventRow],
    select(*columns_of(EventRow, OrderEvent, lines=OrderRefund.lines))
    .select_from(OrderEvent)
    .outerjoin(OrderRefund, OrderRefund.id == OrderEvent.refund_id),
    identity=OrderEvent.id,
    sorts=(SortKey("created_at", OrderEvent.created_at, datetime),),
    default_sort="created_at",
    filters=(equals("order_id", OrderEvent.order_id),),
)

PAYMENT_LIST = ListQuery(
    "order_payments",
    Page[AttemptRow],
    select(*columns_of(AttemptRow, OrderPayment)),
    identity=OrderPayment.id,
    sorts=(SortKey("created_at", OrderPayment.created_at, datetime),),
    default_sort="created_at",
    filters=(equals("order_id", OrderPayment.order_id),),
)

REFUND_LIST = ListQuery(
    "order_refunds",
    Page[RefundListRow],
    select(*columns_of(RefundListRow, OrderRefund, reason=OrderEvent.reason))
    .select_from(OrderRefund)
    .join(OrderEvent, OrderEvent.refund_id == OrderRefund.id),
    identity=OrderRefund.id,
    sorts=(SortKey("created_at", OrderRefund.created_at, datetime),),
    default_sort="created_at",
    filters=(equals("order_id", OrderRefund.order_id),),
)

ITEMS = PreparedIn(
    select(*columns_of(ItemRow, OrderItem)).order_by(OrderItem.order_id, OrderItem.position),
    OrderItem.order_id,
    ItemRow,
)
