from typing import Any
from uuid import UUID

from msgspec import UNSET

from app.domain.orders.dtos import OrderRead, OrderShip, OrderUpdate, TrackingUpdate
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
from app.lib.errors import FieldCode, FieldError, PermissionDenied, ValidationFailed
from app.lib.events import Events
from app.lib.security.principal import Principal
from app.lib.wire.dto import provided
from app.lib.wire.metadata import merge_metadata

_CHANGED_WHILE = {
    "notes": frozenset({Status.PENDING.value}),
    "tracking": frozenset({Status.SHIPPED.value, Status.DELIVERED.value}),
    "metadata": frozenset(each.value for each in Status),
}
_TRACKING = TrackingUpdate.__struct_fields__


class OrderService:
    """The changes of an order that touch neither stock nor money, in one unit of work."""

    def __init__(self, unit: UnitOfWork, events: Events, origin: Origin) -> None:
        self.unit = unit
        self._origin = origin
        self._orders = OrderRepository(unit)
        self._timeline = Timeline(unit, events)

    async def update(self, order_id: UUID, data: OrderUpdate, if_match: IfMatch, actor: Principal) -> OrderRead:
        """The notes while the order is pending; for staff, the metadata, and the tracking once it is shipped. Raises
        ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed``, ``InvalidTransition`` or ``ValidationFailed``.
        """
        await self.unit.wait_turn(order_id)
        order = require_writable(await self._orders.get_for_update(order_id), actor)
        roles, patch = roles_of(actor, order), provided(data)
        if not roles or (patch.keys() & {"tracking", "metadata"} and Role.STAFF not in roles):
            raise PermissionDenied
        if_match.check(order.version)
        if any(order.status not in _CHANGED_WHILE[name] for name in patch):
            raise InvalidTransition("change", order.status, allowed(order.status, roles))
        tracking = {} if data.tracking is UNSET else _columns_of(data.tracking, order)
        values = {**patch, **tracking}
        values.pop("tracking", None)
        if data.metadata is not UNSET:
            values["metadata"] = merge_metadata(order.metadata, data.metadata)
        changed = {name: value for name, value in values.items() if getattr(order, name) != value}
        if changed:
            order = await self._orders.update(order, **changed)
        if changed.keys() & tracking.keys():
            await self._timeline.record(order, "tracking_updated", Role.STAFF)
        return await self._read(order)

    async def ship(self, order_id: UUID, data: OrderShip, if_match: IfMatch, actor: Principal) -> OrderRead:
        """Raises ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed`` or ``InvalidTransition``."""
        tracking = {f"tracking_{name}": getattr(data.tracking, name, None) for name in _TRACKING}
        return await self._advance("ship", "shipped", order_id, if_match, actor, **tracking)

    async def deliver(self, order_id: UUID, if_match: IfMatch, actor: Principal) -> OrderRead:
        """Raises ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed`` or ``InvalidTransition``."""
        return await self._advance("deliver", "delivered", order_id, if_match, actor)

    async def _advance(
        self, name: str, kind: str, order_id: UUID, if_match: IfMatch, actor: Principal, **values: Any
    ) -> OrderRead:
        await self.unit.wait_turn(order_id)
        order = require_writable(await self._orders.get_for_update(order_id), actor)
        transition = require_transition(name, order.status, roles_of(actor, order))
        if_match.check(order.version)
        changed = await self._orders.update(order, status=transition.target.value, **values)
        await self._timeline.record(changed, kind, Role.STAFF)
        await audit.record(self.unit, f"order.{kind}", self._origin, subject_id=order_id)
        return await self._read(changed)

    async def _read(self, order: OrderRow) -> OrderRead:
        return order.to_read(await self._orders.list_items(order.id))


def _columns_of(patch: TrackingUpdate | None, order: OrderRow) -> dict[str, Any]:
    """The order's columns after the patch. Raises ``ValidationFailed`` where the carrier or number is missing."""
    if patch is None:
        return {f"tracking_{name}": None for name in _TRACKING}
    merged = {name: getattr(order, f"tracking_{name}") for name in _TRACKING} | provided(patch)
    missing = [
        FieldError(pointer=f"/tracking/{name}", code=FieldCode.REQUIRED, detail="Is required.")
        for name in ("carrier", "number")
        if merged[name] is None
    ]
    if missing:
        raise ValidationFailed(missing)
    return {f"tracking_{name}": value for name, value in merged.items()}
