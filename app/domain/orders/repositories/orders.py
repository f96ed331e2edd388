from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.orders.machine import Status
from app.domain.orders.models import Order, OrderEvent, OrderItem
from app.domain.orders.rows import ItemRow, OrderRow
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.instants import database_now
from app.lib.db.prepared import columns_of, one_row
from app.lib.db.statements import NewRow

_orders, _items, _events = table_of(Order), table_of(OrderItem), table_of(OrderEvent)
_order = columns_of(OrderRow, Order)


class OrderRepository:
    """In one transaction. Whoever changes an order locks it first, and the stock of its products only after it."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    def new(self, order: OrderRow) -> NewRow:
        """An order, to be inserted."""
        return NewRow(_orders, msgspec.structs.asdict(order))

    def new_items(self, items: Sequence[ItemRow]) -> dict[UUID, NewRow]:
        """Its lines, to be inserted once their products are taken; by product."""
        return {each.product_id: NewRow(_items, msgspec.structs.asdict(each)) for each in items}

    async def lock(self, order_id: UUID) -> OrderRow | None:
        """The order as it is now, locked against changes until the transaction ends."""
        found = await self._session.execute(select(*_order).where(Order.id == order_id).with_for_update(key_share=True))
        return one_row(found, OrderRow)

    async def change(self, order_id: UUID, **values: Any) -> OrderRow:
        """A change of a locked order; its version counts it."""
        changed = await self._session.execute(
            update(Order)
            .where(Order.id == order_id)
            .values(version=Order.version + 1, updated_at=utc_now(), **values)
            .returning(*_order)
            .execution_options(synchronize_session=False)
        )
        return OrderRow(*changed.one())

    async def items(self, order_id: UUID) -> list[ItemRow]:
        found = await self._session.execute(
            select(*columns_of(ItemRow, OrderItem)).where(OrderItem.order_id == order_id).order_by(OrderItem.position)
        )
        return [ItemRow(*row) for row in found]

    async def add_refunded(self, order_id: UUID, quantities: Mapping[UUID, int]) -> None:
        """So many more pieces of each line are refunded."""
        for product_id, quantity in quantities.items():
            await self._session.execute(
                update(OrderItem)
                .where(OrderItem.order_id == order_id, OrderItem.product_id == product_id)
                .values(refunded_quantity=OrderItem.refunded_quantity + quantity)
                .execution_options(synchronize_session=False)
            )

    def new_event(self, order: OrderRow, kind: str, actor: str, amount_units: int) -> NewRow:
        """A line of the timeline, to be inserted."""
        values = {
            "id": new_id(),
            "order_id": order.id,
            "kind": kind,
            "status": order.status,
            "actor": actor,
            "amount_units": amount_units,
            "currency": order.currency,
            "created_at": utc_now(),
        }
        return NewRow(_events, values)

    async def is_overdue(self, order_id: UUID, now: datetime | None = None) -> bool:
        """Whether its time to be paid is over; at that instant, or by the database's clock."""
        found = await self._session.execute(select(Order.id).where(Order.id == order_id, _is_overdue(now)))
        return found.first() is not None

    async def expired(self, now: datetime | None, limit: int) -> Sequence[UUID]:
        """Orders whose time to be paid is over, and of which no payment is under way."""
        found = await self._session.execute(
            select(Order.id)
            .where(_is_overdue(now), Order.status == Status.PENDING.value, Order.payment_processing.is_(False))
            .order_by(Order.expires_at)
            .limit(limit)
        )
        return found.scalars().all()

    async def forget_customer(self, user_id: UUID) -> None:
        """Takes the person out of their orders, and what they wrote."""
        await self._session.execute(
            update(Order)
            .where(Order.customer_id == user_id)
            .values(customer_id=None, notes=None, version=Order.version + 1, updated_at=utc_now())
            .execution_options(synchronize_session=False)
        )


def _is_overdue(now: datetime | None) -> ColumnElement[bool]:
    return Order.expires_at <= (database_now() if now is None else now)
