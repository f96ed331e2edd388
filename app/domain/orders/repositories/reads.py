from datetime import datetime

from sqlalchemy import bindparam, select

from app.domain.orders.models import Order, OrderEvent, OrderItem, OrderPayment
from app.domain.orders.rows import AttemptRow, EventRow, ItemRow, OrderRow
from app.lib.db.prepared import PreparedIn, columns_of, prepare
from app.lib.pagination.envelope import Page
from app.lib.pagination.filters import at_least, at_most, between, equals
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey

_orders = select(*columns_of(OrderRow, Order))
ORDER = prepare(_orders.where(Order.id == bindparam("order_id")), OrderRow)

_SORTS = (SortKey("created_at", Order.created_at, datetime), SortKey("total", Order.total_units, int))

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
        *between("created", Order.created_at),
    ),
)

EVENT_LIST = ListQuery(
    "order_events",
    Page[EventRow],
    select(*columns_of(EventRow, OrderEvent)),
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
ITEMS = PreparedIn(
    select(*columns_of(ItemRow, OrderItem)).order_by(OrderItem.order_id, OrderItem.position),
    OrderItem.order_id,
    ItemRow,
)
