from uuid import UUID

from app.domain.orders.events import EVENT_OF
from app.domain.orders.machine import Role
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.rows import OrderRow
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.wire.dto import project
from app.lib.wire.money import Money


class Timeline:
    """Everything that happens to an order is a line of its timeline and an event, in the same transaction."""

    def __init__(self, unit: UnitOfWork, events: Events) -> None:
        self.unit = unit
        self._events = events
        self._orders = OrderRepository(unit)

    async def record(
        self,
        order: OrderRow,
        kind: str,
        actor: Role,
        amount_units: int | None = None,
        *,
        reason: str | None = None,
        refund_id: UUID | None = None,
    ) -> None:
        """``order`` is the order after it happened. The amount is its total unless given."""
        amount = order.total_units if amount_units is None else amount_units
        await self._orders.create_event(order, kind, actor, amount, reason, refund_id)
        event_type, why = EVENT_OF[kind], {"reason": reason, "refund_id": refund_id}
        event = project(
            event_type,
            order,
            aggregate_id=order.id,
            aggregate_version=order.version,
            actor=actor.value,
            amount=Money.from_minor_units(amount, order.currency),
            **{name: value for name, value in why.items() if name in event_type.__struct_fields__},
        )
        await self._events.publish(self.unit, event)
