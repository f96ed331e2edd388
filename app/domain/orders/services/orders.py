from uuid import UUID

from app.domain.orders.dtos import OrderRead, OrderUpdate
from app.domain.orders.errors import InvalidTransition
from app.domain.orders.machine import Role, Status, allowed, require_transition
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.rows import OrderRow
from app.domain.orders.services.access import require_writable, roles_of
from app.domain.orders.services.timeline import Timeline
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import PermissionDenied
from app.lib.events import Events
from app.lib.security.principal import Principal
from app.lib.wire.dto import provided


class OrderService:
    """The changes of an order that touch neither stock nor money, in one unit of work."""

    def __init__(self, unit: UnitOfWork, events: Events, origin: Origin) -> None:
        self.unit = unit
        self._origin = origin
        self._orders = OrderRepository(unit)
        self._timeline = Timeline(unit, events)

    async def update(self, order_id: UUID, data: OrderUpdate, if_match: IfMatch, actor: Principal) -> OrderRead:
        """While the order is pending. Raises ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed`` or
        ``InvalidTransition``.
        """
        await self.unit.wait_turn(order_id)
        order = require_writable(await self._orders.get_for_update(order_id), actor)
        roles = roles_of(actor, order)
        if not roles:
            raise PermissionDenied
        if_match.check(order.version)
        if order.status != Status.PENDING.value:
            raise InvalidTransition("change", order.status, allowed(order.status, roles))
        values = provided(data)
        if values.get("notes", order.notes) != order.notes:
            order = await self._orders.update(order, **values)
        return await self._read(order)

    async def ship(self, order_id: UUID, if_match: IfMatch, actor: Principal) -> OrderRead:
        """Raises ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed`` or ``InvalidTransition``."""
        return await self._advance("ship", "shipped", order_id, if_match, actor)

    async def deliver(self, order_id: UUID, if_match: IfMatch, actor: Principal) -> OrderRead:
        """Raises ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed`` or ``InvalidTransition``."""
        return await self._advance("deliver", "delivered", order_id, if_match, actor)

    async def _advance(self, name: str, kind: str, order_id: UUID, if_match: IfMatch, actor: Principal) -> OrderRead:
        await self.unit.wait_turn(order_id)
        order = require_writable(await self._orders.get_for_update(order_id), actor)
        transition = require_transition(name, order.status, roles_of(actor, order))
        if_match.check(order.version)
        changed = await self._orders.update(order, status=transition.target.value)
        await self._timeline.record(changed, kind, Role.STAFF)
        await audit.record(self.unit, f"order.{kind}", self._origin, subject_id=order_id)
        return await self._read(changed)

    async def _read(self, order: OrderRow) -> OrderRead:
        return order.to_read(await self._orders.list_items(order.id))
