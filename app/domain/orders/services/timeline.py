from app.domain.orders.events import EVENT_OF
from app.domain.orders.machine import Role
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.rows import OrderRow
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events


class Timeline:
    """Everything that happens to an order is a line of its timeline and an event, in the same transaction."""

    def __init__(self, unit: UnitOfWork, events: Events) -> None:
        self.unit = unit
        self._events = events
        self._orders = OrderRepository(unit)

    async def record(self, order: OrderRow, kind: str, actor: Role, amount_units: int | None = None) -> None:
        """``order`` is the order after it happened. The amount is its total unless given."""
        amount = order.total_units if amount_units is None else amount_units
        await self._orders.create_event(order, kind, actor, amount)
        event = EVENT_OF[kind](
            aggregate_id=order.id,
            aggregate_version=order.version,
            number=order.number,
            customer_id=order.customer_id,
            status=order.status,
        )
        await self._events.publish(self.unit, event)
