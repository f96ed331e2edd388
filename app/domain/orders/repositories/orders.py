from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import asdict, replace
from sqlalchemy import bindparam, func, insert, select, update

from app.domain.accounts.errors import AccountGone
from app.domain.accounts.models import User
from app.domain.accounts.services.access import account_must_exist
from app.domain.orders.events import OrderCancelled, OrderRefunded
from app.domain.orders.machine import Role, Status
from app.domain.orders.models import IS_UNPAID, Order, OrderEvent, OrderItem
from app.domain.orders.rows import ItemRow, OpenOrders, OrderRow, Recipient
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.instants import database_now
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.repositories import Repository
from app.lib.db.statements import in_batch, next_number
from app.lib.events.tables import StoredEvent

_orders, _items, _events = table_of(Order), table_of(OrderItem), table_of(OrderEvent)
_stored = table_of(StoredEvent)
_CREATED = frozenset(OrderRow.__struct_fields__) - {"number"}
_MUTABLE = (
    "status",
    "refunded_units",
    "notes",
    "tracking_carrier",
    "tracking_number",
    "tracking_url",
    "metadata",
    "payment_processing",
    "expires_at",
    "updated_at",
    "version",
)

_lock_customer = prepare(select(User.id).where(User.id == bindparam("user_id")).with_for_update(key_share=True), UUID)
_recipient = prepare(
    select(*columns_of(Recipient, User)).where(User.id == bindparam("user_id"), User.is_active), Recipient
)
_unpaid = (
    select(
        func.count(_items.c.order_id.distinct()).label("orders"),
        func.coalesce(func.sum(_items.c.quantity), 0).label("pieces"),
    )
    .join_from(_orders, _items, _items.c.order_id == _orders.c.id)
    .where(_orders.c.customer_id == bindparam("user_id"), IS_UNPAID)
)
_count_open = prepare(_unpaid, OpenOrders)
_values = {name: bindparam(name, type_=_orders.c[name].type) for name in _CREATED}
_insert = prepare(
    insert(_orders).values(**_values, number=next_number(_orders.c.number)).returning(_orders.c.number), int
)
_insert_item = prepare(insert(_items))
_insert_event = prepare(insert(_events))
_lock = prepare(
    select(*columns_of(OrderRow, Order, metadata=Order.metadata_))
    .where(_orders.c.id == bindparam("order_id"))
    .with_for_update(key_share=True),
    OrderRow,
)
_update = prepare(
    update(_orders)
    .where(_orders.c.id == bindparam("order_id"))
    .values({name: bindparam(name, type_=_orders.c[name].type) for name in _MUTABLE})
)
_list_items = prepare(
    select(*columns_of(ItemRow, OrderItem))
    .where(_items.c.order_id == bindparam("order_id"))
    .order_by(_items.c.position),
    ItemRow,
)
_refund_item = prepare(
    update(_items)
    .where(_items.c.order_id == bindparam("order"), _items.c.product_id == bindparam("product"))
    .values(refunded_quantity=_items.c.refunded_quantity + bindparam("quantity"))
)
_is_overdue = _orders.c.expires_at <= func.coalesce(bindparam("now", type_=_orders.c.expires_at.type), database_now())
_overdue = prepare(select(_orders.c.id).where(_orders.c.id == bindparam("order_id"), _is_overdue), UUID)
_list_overdue = prepare(
    select(_orders.c.id)
    .where(_is_overdue, _orders.c.status == Status.PENDING.value, _orders.c.payment_processing.is_(False))
    .order_by(_orders.c.expires_at)
    .limit(bindparam("limit")),
    UUID,
)
_forget_customer = prepare(
    update(_orders)
    .where(in_batch(_orders, _orders.c.customer_id == bindparam("user_id")))
    .values(customer_id=None, notes=None, metadata={}, version=_orders.c.version + 1, updated_at=bindparam("now"))
    .returning(_orders.c.id),
    UUID,
)
_forget_reasons = prepare(
    update(_events)
    .where(_events.c.order_id == bindparam("of_order"), _events.c.reason.is_not(None))
    .values(reason=None)
)
_with_reasons = select(_stored.c.id, _stored.c.payload).where(
    _stored.c.kind.in_([OrderCancelled.kind, OrderRefunded.kind])
)
_rewrite = prepare(update(_stored).where(_stored.c.id == bindparam("event_id")).values(payload=bindparam("text")))


class OrderRepository(Repository):
    """Lock an order before you change it, and change the stock of its products only after that."""

    async def lock_customer(self, user_id: UUID) -> None:
        """One transaction at a time places an order for them. Raises ``AccountGone``."""
        if await self.unit.first(_lock_customer, user_id=user_id) is None:
            raise AccountGone

    async def find_recipient(self, user_id: UUID) -> Recipient | None:
        """Where to mail the customer; None for one who is deactivated or deleted."""
        return await self.unit.first(_recipient, user_id=user_id)

    async def count_open(self, user_id: UUID) -> OpenOrders:
        """The unpaid orders of a user, with those of transactions that held the lock before."""
        [found] = await self.unit.all(_count_open, user_id=user_id)
        return found

    async def create(self, order: OrderRow) -> OrderRow:
        """The order with its number, which is lost if the transaction fails: so create it when nothing more is refused.
        Raises ``AccountGone``.
        """
        with account_must_exist():
            number = await self.unit.create(_insert, **{name: getattr(order, name) for name in _CREATED})
        return replace(order, number=number)

    async def create_items(self, items: Sequence[ItemRow]) -> None:
        """Each locks its product against deletion, so take the stock first."""
        await self.unit.insert(_insert_item, *map(asdict, items))

    async def create_event(
        self, order: OrderRow, kind: str, actor: Role, amount_units: int, reason: str | None, refund_id: UUID | None
    ) -> None:
        """A line of the timeline."""
        row = {
            "id": new_id(),
            "order_id": order.id,
            "kind": kind,
            "status": order.status,
            "actor": actor.value,
            "amount_units": amount_units,
            "currency": order.currency,
            "reason": reason,
            "refund_id": refund_id,
            "created_at": utc_now(),
        }
        await self.unit.insert(_insert_event, row)

    async def get_for_update(self, order_id: UUID) -> OrderRow | None:
        """The order as it is now, locked against changes until the transaction ends."""
        return await self.unit.first(_lock, order_id=order_id)

    async def update(self, order: OrderRow, **values: Any) -> OrderRow:
        """Changes a locked order. Returns the order as it is now; its version counts the change."""
        changed = replace(order, version=order.version + 1, updated_at=utc_now(), **values)
        await self.unit.execute(_update, order_id=order.id, **{name: getattr(changed, name) for name in _MUTABLE})
        return changed

    async def list_items(self, order_id: UUID) -> list[ItemRow]:
        return await self.unit.all(_list_items, order_id=order_id)

    async def add_refunded(self, order_id: UUID, quantities: Mapping[UUID, int]) -> None:
        """Counts refunded pieces of the lines, by product."""
        rows = [{"order": order_id, "product": key, "quantity": quantity} for key, quantity in quantities.items()]
        await self.unit.execute_many(_refund_item, rows)

    async def is_overdue(self, order_id: UUID, now: datetime | None = None) -> bool:
        """Whether the order should have been paid by ``now``, or by the database's clock."""
        return await self.unit.first(_overdue, order_id=order_id, now=now) is not None

    async def list_overdue(self, now: datetime | None, limit: int) -> list[UUID]:
        """Orders that were not paid in time and have no payment under way."""
        return await self.unit.all(_list_overdue, now=now, limit=limit)

    async def forget_customer(self, user_id: UUID) -> list[UUID]:
        """Removes the person from a batch of their orders, and the notes, metadata and reasons, also from events that
        are kept. Returns their ids.
        """
        orders = await self.unit.all(_forget_customer, user_id=user_id, now=utc_now())
        await self.unit.execute_many(_forget_reasons, [{"of_order": each} for each in orders])
        if orders:
            stored = await self.unit.session.execute(_with_reasons.where(_stored.c.aggregate_id.in_(orders)))
            rows = [{"event_id": event_id, "text": _without_reason(payload)} for event_id, payload in stored.tuples()]
            await self.unit.execute_many(_rewrite, rows)
        return orders


def _without_reason(payload: str) -> str:
    return msgspec.json.encode(msgspec.json.decode(payload) | {"reason": None}).decode()
