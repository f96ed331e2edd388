"""Changes of an order's status, other than by payment."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from app.domain.catalog.services.stock import StockService
from app.domain.orders.dtos import OrderRead, OrderUpdate
from app.domain.orders.errors import InvalidMove, PaymentInProgress
from app.domain.orders.machine import Role, Status, allowed, find_move
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.rows import OrderRow
from app.domain.orders.services.access import roles_of, within_reach
from app.domain.orders.services.history import History
from app.domain.orders.services.refunding import RefundService
from app.lib import audit
from app.lib.audit import SYSTEM, Origin
from app.lib.db.retries import in_savepoint
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import PermissionDenied
from app.lib.events import Events
from app.lib.security.principal import Principal
from app.lib.wire.dto import provided


class MovingService:
    """In one unit of work. Every change locks the order first."""

    def __init__(self, unit: UnitOfWork, events: Events, origin: Origin = SYSTEM) -> None:
        self._unit = unit
        self._origin = origin
        self._orders = OrderRepository(unit.session)
        self._stock = StockService(unit)
        self._history = History(unit, events)
        self._refunds = RefundService(unit, events, origin)

    async def change_notes(self, order_id: UUID, data: OrderUpdate, if_match: IfMatch, actor: Principal) -> OrderRead:
        """While the order is pending. Raises ``OrderNotFound``, ``PreconditionFailed`` or ``InvalidMove``."""
        order = within_reach(await self._orders.lock(order_id), actor)
        roles = roles_of(actor, order)
        if not roles:
            raise PermissionDenied
        if_match.check(order.version)
        if order.status != Status.PENDING.value:
            raise InvalidMove("change", order.status, allowed(order.status, roles))
        present = provided(data)
        if present.get("notes", order.notes) != order.notes:
            order = await self._orders.change(order_id, **present)
        return await self._read(order)

    async def ship(self, order_id: UUID, if_match: IfMatch, actor: Principal) -> OrderRead:
        """Raises ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed`` or ``InvalidMove``."""
        return await self._simply("ship", "shipped", order_id, if_match, actor)

    async def deliver(self, order_id: UUID, if_match: IfMatch, actor: Principal) -> OrderRead:
        """Raises ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed`` or ``InvalidMove``."""
        return await self._simply("deliver", "delivered", order_id, if_match, actor)

    async def cancel(self, order_id: UUID, if_match: IfMatch, actor: Principal) -> OrderRead:
        """Gives the stock back, and the money if it was paid.

        Raises ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed``, ``PaymentInProgress`` or
        ``InvalidMove``.
        """

        async def work() -> OrderRead:
            order = within_reach(await self._orders.lock(order_id), actor)
            roles = roles_of(actor, order)
            move = find_move("cancel", order.status, roles)
            if_match.check(order.version)
            if order.payment_processing:
                raise PaymentInProgress
            by = Role.STAFF if Role.CUSTOMER not in roles else Role.CUSTOMER
            if order.status == Status.PAID.value:
                return await self._refunds.refund_cancelled(order, move.target)
            return await self._call_off(order, "cancelled", by)

        return await self._retried("order.cancelled", order_id, work)

    async def expire(self, order_id: UUID, now: datetime | None) -> bool:
        """Cancels an order that nobody paid in time; tells whether it did, for much may have happened meanwhile.
        Without an instant, by the database's clock.
        """
        order = await self._orders.lock(order_id)
        if order is None or order.status != Status.PENDING.value or order.payment_processing:
            return False
        if not await self._orders.is_overdue(order_id, now):
            return False
        find_move("expire", order.status, {Role.SYSTEM})
        await self._call_off(order, "expired", Role.SYSTEM)
        return True

    async def _call_off(self, order: OrderRow, kind: str, by: Role) -> OrderRead:
        changed = await self._orders.change(order.id, status=Status.CANCELLED.value, expires_at=None)
        items = await self._orders.items(order.id)
        await self._history.record(changed, kind, by)
        await self._stock.give_back({each.product_id: each.quantity for each in items}, order.id, kind)
        return changed.to_read(items)

    async def _simply(self, name: str, kind: str, order_id: UUID, if_match: IfMatch, actor: Principal) -> OrderRead:
        order = within_reach(await self._orders.lock(order_id), actor)
        move = find_move(name, order.status, roles_of(actor, order))
        if_match.check(order.version)
        changed = await self._orders.change(order_id, status=move.target.value)
        await self._history.record(changed, kind, Role.STAFF)
        await audit.record(self._unit, f"order.{kind}", self._origin, subject_id=order_id)
        return await self._read(changed)

    async def _retried(self, kind: str, order_id: UUID, work: Callable[[], Awaitable[OrderRead]]) -> OrderRead:
        order = await in_savepoint(self._unit.session, work)
        await audit.record(self._unit, kind, self._origin, subject_id=order_id)
        return order

    async def _read(self, order: OrderRow) -> OrderRead:
        return order.to_read(await self._orders.items(order.id))
