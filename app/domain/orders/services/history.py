from collections.abc import Sequence

from app.domain.orders.events import EVENT_OF
from app.domain.orders.machine import Role
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.rows import OrderRow
from app.lib.db.statements import NewRow
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events


class History:
    """Everything that happens to an order is a line of its timeline and an event for others, in one transaction."""

    def __init__(self, unit: UnitOfWork, events: Events) -> None:
        self._unit = unit
        self._events = events

    async def record(
        self, order: OrderRow, kind: str, actor: Role, amount_units: int | None = None, *, after: Sequence[NewRow] = ()
    ) -> None:
        """``order`` is as it is after it happened; the money is all of it unless said otherwise. ``after`` are rows
        that go first, in the same round trip.
        """
        amount = order.total_units if amount_units is None else amount_units
        line = OrderRepository(self._unit.session).new_event(order, kind, actor.value, amount)
        event = EVENT_OF[kind](
            aggregate_id=order.id,
            aggregate_version=order.version,
            customer_id=order.customer_id,
            status=order.status,
        )
        await self._events.publish(self._unit, event, after=[*after, line])
