from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from app.domain.orders.models import Order, OrderEvent, OrderItem, OrderPayment
from app.domain.orders.rows import AttemptRow, AttemptRowPage, EventRow, EventRowPage, ItemRow, OrderRow, OrderRowPage
from app.lib.db.prepared import PreparedIn, columns_of, prepare
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.filters import after, at_least, at_most, before, equals
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey

_orders = select(*columns_of(OrderRow, Order))
_order = prepare(_orders.where(Order.id == bindparam("order_id")), OrderRow)

ORDER_SORTS = (SortKey("created_at", Order.created_at, datetime), SortKey("total", Order.total_units, int))

ORDER_LIST = ListQuery(
    "orders",
    OrderRowPage,
    _orders,
    identity=Order.id,
    sorts=ORDER_SORTS,
    default_sort="-created_at",
    filters=(
        equals("owner_id", Order.customer_id),
        equals("customer_id", Order.customer_id),
        equals("status", Order.status),
        equals("currency", Order.currency),
        at_least("min_total", Order.total_units),
        at_most("max_total", Order.total_units),
        after("created_after", Order.created_at),
        before("created_before", Order.created_at),
    ),
)

EVENT_LIST = ListQuery(
    "order_events",
    EventRowPage,
    select(*columns_of(EventRow, OrderEvent)),
    identity=OrderEvent.id,
    sorts=(SortKey("created_at", OrderEvent.created_at, datetime),),
    default_sort="created_at",
    filters=(equals("order_id", OrderEvent.order_id),),
)


PAYMENT_LIST = ListQuery(
    "order_payments",
    AttemptRowPage,
    select(*columns_of(AttemptRow, OrderPayment)),
    identity=OrderPayment.id,
    sorts=(SortKey("created_at", OrderPayment.created_at, datetime),),
    default_sort="created_at",
    filters=(equals("order_id", OrderPayment.order_id),),
)
_items = PreparedIn(
    select(*columns_of(ItemRow, OrderItem)).order_by(OrderItem.order_id, OrderItem.position),
    OrderItem.order_id,
    ItemRow,
)


class OrderReads:
    """Orders as they are shown."""

    def __init__(self, reader: Reader, cursors: CursorCodec) -> None:
        self._reader = reader
        self._cursors = cursors

    async def get_order(self, order_id: UUID) -> OrderRow | None:
        return await self._reader.first(_order, order_id=order_id)

    async def list_orders(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> OrderRowPage:
        return await paginate(self._reader, ORDER_LIST, paging, self._cursors, sort=sort, filters=filters)

    async def list_items(self, order_ids: Sequence[UUID]) -> Mapping[UUID, list[ItemRow]]:
        """The lines of many orders in one query, by order and sorted by position."""
        found: dict[UUID, list[ItemRow]] = defaultdict(list)
        if not order_ids:
            return found
        prepared, values = _items.of(order_ids)
        for row in await self._reader.all(prepared, **values):
            found[row.order_id].append(row)
        return found

    async def list_events(self, order_id: UUID, paging: PageRequest) -> EventRowPage:
        return await paginate(self._reader, EVENT_LIST, paging, self._cursors, filters={"order_id": order_id})

    async def list_payments(self, order_id: UUID, paging: PageRequest) -> AttemptRowPage:
        return await paginate(self._reader, PAYMENT_LIST, paging, self._cursors, filters={"order_id": order_id})
