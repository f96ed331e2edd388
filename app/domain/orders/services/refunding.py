"""Money back, by lines or all of it. It is promised here, and sent by :mod:`.housekeeping`."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from msgspec import UNSET

from app.domain.catalog.services.stock import StockService
from app.domain.orders.dtos import OrderRead, RefundCreate
from app.domain.orders.errors import RefundTooLarge
from app.domain.orders.machine import Role, Status, find_move
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.repositories.payments import PaymentRepository
from app.domain.orders.rows import ItemRow, OrderRow, RefundRow
from app.domain.orders.services.access import roles_of, within_reach
from app.domain.orders.services.history import History
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.base import new_id
from app.lib.db.retries import in_savepoint
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.events import Events
from app.lib.security.principal import Principal


class Pieces(msgspec.Struct, frozen=True):
    """So many pieces of a product, and whether they go back on the shelf."""

    quantity: int
    restock: bool


class RefundService:
    """In one unit of work."""

    def __init__(self, unit: UnitOfWork, events: Events, origin: Origin) -> None:
        self._unit = unit
        self._origin = origin
        self._orders = OrderRepository(unit.session)
        self._payments = PaymentRepository(unit.session)
        self._stock = StockService(unit)
        self._history = History(unit, events)

    async def refund(self, order_id: UUID, data: RefundCreate, if_match: IfMatch, actor: Principal) -> OrderRead:
        """Raises ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed``, ``InvalidMove``, ``ValidationFailed``
        or ``RefundTooLarge``.
        """

        async def work() -> OrderRead:
            order = within_reach(await self._orders.lock(order_id), actor)
            find_move("refund", order.status, roles_of(actor, order))
            if_match.check(order.version)
            items = await self._orders.items(order_id)
            return await self._refund(order, items, _wanted(data, items))

        order = await in_savepoint(self._unit.session, work)
        await audit.record(
            self._unit, "order.refunded", self._origin, subject_id=order_id, refunded=order.refunded.amount
        )
        return order

    async def refund_cancelled(self, order: OrderRow, target: Status) -> OrderRead:
        """All that is left, for a locked order that was paid and is called off; its lines go back on the shelf."""
        items = await self._orders.items(order.id)
        left = {each.product_id: Pieces(each.refundable, restock=True) for each in items if each.refundable}
        return await self._refund(order, items, left, cancelled=target)

    async def _refund(
        self,
        order: OrderRow,
        items: Sequence[ItemRow],
        wanted: Mapping[UUID, Pieces],
        *,
        cancelled: Status | None = None,
    ) -> OrderRead:
        prices = {each.product_id: each.unit_price_units for each in items}
        amount = sum(prices[product_id] * pieces.quantity for product_id, pieces in wanted.items())
        is_all = sum(each.refundable for each in items) == sum(each.quantity for each in wanted.values())
        status = cancelled.value if cancelled else Status.REFUNDED.value if is_all else order.status
        changed = await self._orders.change(
            order.id, status=status, refunded_units=order.refunded_units + amount, expires_at=None
        )
        await self._orders.add_refunded(order.id, {key: pieces.quantity for key, pieces in wanted.items()})
        refund = RefundRow(
            id=new_id(),
            payment_id=await self._payments.succeeded(order.id),
            amount_units=amount,
            currency=order.currency,
        )
        await self._payments.promise_refund(refund, order.id)
        await self._history.record(changed, "cancelled" if cancelled else "refunded", Role.STAFF, amount)
        back = {key: pieces.quantity for key, pieces in wanted.items() if pieces.restock}
        await self._stock.give_back(back, order.id, "cancelled" if cancelled else "refunded")
        return changed.to_read(await self._orders.items(order.id))


def _wanted(data: RefundCreate, items: Sequence[ItemRow]) -> dict[UUID, Pieces]:
    if data.items is None:
        return {each.product_id: Pieces(each.refundable, data.restock) for each in items if each.refundable}
    by_product = {each.product_id: each for each in items}
    detail = "Is not in this order."
    foreign = [
        FieldError(pointer=f"/items/{number}/product_id", code=FieldCode.NOT_FOUND, detail=detail)
        for number, each in enumerate(data.items)
        if each.product_id not in by_product
    ]
    if foreign:
        raise ValidationFailed(foreign)
    too_many = [
        (f"/items/{number}/quantity", by_product[each.product_id].refundable)
        for number, each in enumerate(data.items)
        if each.quantity > by_product[each.product_id].refundable
    ]
    if too_many:
        raise RefundTooLarge(too_many)
    return {
        each.product_id: Pieces(each.quantity, data.restock if each.restock is UNSET else each.restock)
        for each in data.items
    }
