from datetime import datetime
from uuid import UUID

from app.domain.catalog.services.stock import StockService
from app.domain.orders.dtos import OrderCancel, OrderRead
from app.domain.orders.errors import PaymentInProgress
from app.domain.orders.machine import Role, Status, require_transition
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.rows import OrderRow
from app.domain.orders.services.access import require_writable, roles_of
from app.domain.orders.services.refund import RefundService
from app.domain.orders.services.timeline import Timeline
from app.lib import audit
from app.lib.audit import SYSTEM, Origin
from app.lib.db.retries import in_savepoint
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.events import Events
from app.lib.security.principal import Principal


class CancelService:
    """Cancels orders, at a person's request or because they were not paid in time. In one unit of work."""

    def __init__(self, unit: UnitOfWork, events: Events, origin: Origin = SYSTEM) -> None:
        self.unit = unit
        self._origin = origin
        self._orders = OrderRepository(unit)
        self._stock = StockService(unit)
        self._timeline = Timeline(unit, events)
        self._refunds = RefundService(unit, events, origin)

    async def cancel(self, order_id: UUID, data: OrderCancel, if_match: IfMatch, actor: Principal) -> OrderRead:
        """Puts the stock back, and refunds a paid order.

        Raises ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed``, ``PaymentInProgress`` or
        ``InvalidTransition``.
        """

        async def work() -> OrderRead:
            self.unit.take_turn(order_id)
            order = require_writable(await self._orders.get_for_update(order_id), actor)
            roles = roles_of(actor, order)
            transition = require_transition("cancel", order.status, roles)
            if_match.check(order.version)
            if order.payment_processing:
                raise PaymentInProgress
            if order.status == Status.PAID.value:
                return await self._refunds.refund_cancelled(order, transition.target, data.reason)
            by = Role.CUSTOMER if Role.CUSTOMER in roles else Role.STAFF
            return await self._cancel(order, "cancelled", by, data.reason)

        order = await in_savepoint(self.unit, work)
        await audit.record(self.unit, "order.cancelled", self._origin, subject_id=order_id)
        return order

    async def expire(self, order_id: UUID, now: datetime | None) -> bool:
        """Cancels an order that was not paid by ``now``, or by the database's clock. False when that is not so, or
        not any more.
        """
        order = await self._orders.get_for_update(order_id)
        if order is None or order.status != Status.PENDING.value or order.payment_processing:
            return False
        if not await self._orders.is_overdue(order_id, now):
            return False
        require_transition("expire", order.status, {Role.SYSTEM})
        await self._cancel(order, "expired", Role.SYSTEM)
        return True

    async def _cancel(self, order: OrderRow, kind: str, by: Role, reason: str | None = None) -> OrderRead:
        changed = await self._orders.update(order, status=Status.CANCELLED.value, expires_at=None)
        items = await self._orders.list_items(order.id)
        await self._timeline.record(changed, kind, by, reason=reason)
        await self._stock.put_back({each.product_id: each.quantity for each in items}, order.id, kind)
        return changed.to_read(items)
