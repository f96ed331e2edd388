"""Refunds of lines or of all that is left. They are recorded here, and sent to the provider after the commit."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from msgspec import UNSET

from app.domain.catalog.services.stock import StockService
from app.domain.orders.dtos import OrderRead, RefundCreate
from app.domain.orders.errors import RefundTooLarge
from app.domain.orders.machine import Role, Status, require_transition
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.repositories.payments import PROCESSING, REFUND, SETTLE_REFUND, create_refund
from app.domain.orders.rows import ItemRow, OrderRow, RefundLine
from app.domain.orders.services.access import require_writable, roles_of
from app.domain.orders.services.provider import (
    ASK_AGAIN,
    MoneyBack,
    OutcomeUnknown,
    PaymentProvider,
    answer_of,
    require_provider,
)
from app.domain.orders.services.timeline import Timeline
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.retries import in_savepoint
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.events import Events
from app.lib.jobs import JobContext, RetryLater, enqueue, job
from app.lib.security.principal import Principal
from app.lib.wire.money import Money


class Pieces(msgspec.Struct, frozen=True):
    """Pieces of a product, and whether they return to the stock."""

    quantity: int
    restock: bool


class RefundToSend(msgspec.Struct, frozen=True):
    refund_id: UUID


class RefundService:
    """In one unit of work."""

    def __init__(self, unit: UnitOfWork, events: Events, origin: Origin) -> None:
        self.unit = unit
        self._origin = origin
        self._orders = OrderRepository(unit)
        self._stock = StockService(unit)
        self._timeline = Timeline(unit, events)

    async def refund(self, order_id: UUID, data: RefundCreate, if_match: IfMatch, actor: Principal) -> OrderRead:
        """Raises ``OrderNotFound``, ``PermissionDenied``, ``PreconditionFailed``, ``InvalidTransition``,
        ``ValidationFailed`` or ``RefundTooLarge``.
        """

        async def work() -> OrderRead:
            self.unit.take_turn(order_id)
            order = require_writable(await self._orders.get_for_update(order_id), actor)
            require_transition("refund", order.status, roles_of(actor, order))
            if_match.check(order.version)
            items = await self._orders.list_items(order_id)
            return await self._refund(order, items, _pieces_of(data, items), data.reason)

        order = await in_savepoint(self.unit, work)
        refunded = order.refunded.amount
        await audit.record(self.unit, "order.refunded", self._origin, subject_id=order_id, refunded=refunded)
        return order

    async def refund_cancelled(self, order: OrderRow, target: Status, reason: str | None) -> OrderRead:
        """Refunds all that is left of a locked, paid order that is cancelled; its lines return to the stock."""
        items = await self._orders.list_items(order.id)
        left = {each.product_id: Pieces(each.refundable, restock=True) for each in items if each.refundable}
        return await self._refund(order, items, left, reason, cancelled=target)

    async def _refund(
        self,
        order: OrderRow,
        items: Sequence[ItemRow],
        pieces: Mapping[UUID, Pieces],
        reason: str | None,
        *,
        cancelled: Status | None = None,
    ) -> OrderRead:
        quantities = {product_id: each.quantity for product_id, each in pieces.items()}
        lines = [_line_of(each, pieces[each.product_id]) for each in items if each.product_id in pieces]
        amount = sum(each.amount_units for each in lines)
        refunded = [
            msgspec.structs.replace(each, refunded_quantity=each.refunded_quantity + quantities.get(each.product_id, 0))
            for each in items
        ]
        is_complete = not any(each.refundable for each in refunded)
        status = cancelled.value if cancelled else Status.REFUNDED.value if is_complete else order.status
        kind = "cancelled" if cancelled else "refunded"
        changed = await self._orders.update(
            order, status=status, refunded_units=order.refunded_units + amount, expires_at=None
        )
        await self._orders.add_refunded(order.id, quantities)
        refund_id = await create_refund(self.unit, order, amount, lines)
        await enqueue(self.unit, send_refund, RefundToSend(refund_id))
        await self._timeline.record(changed, kind, Role.STAFF, amount, reason=reason, refund_id=refund_id)
        restocked = {product_id: each.quantity for product_id, each in pieces.items() if each.restock}
        await self._stock.put_back(restocked, order.id, kind)
        return changed.to_read(refunded)


def _line_of(item: ItemRow, pieces: Pieces) -> RefundLine:
    return RefundLine(
        product_id=item.product_id,
        sku=item.sku,
        name=item.name,
        quantity=pieces.quantity,
        amount_units=item.unit_price_units * pieces.quantity,
        restock=pieces.restock,
    )


def _pieces_of(data: RefundCreate, items: Sequence[ItemRow]) -> dict[UUID, Pieces]:
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


@job(
    "orders.send_refund",
    RefundToSend,
    retry=ASK_AGAIN,
    timeout=60,
    key=lambda payload: str(payload.refund_id),
    at_most=4,
)
async def send_refund(payload: RefundToSend, context: JobContext) -> None:
    """Has the provider give the money back."""
    provider = context.service(PaymentProvider)
    async with context.unit() as unit:
        refund = await unit.first(REFUND, refund_id=payload.refund_id)
    if refund is None or refund.status != PROCESSING:
        return
    require_provider(provider, refund.provider)
    amount = Money.from_minor_units(refund.amount_units, refund.currency)
    money_back = MoneyBack(reference=refund.id, charge=refund.payment_id, amount=amount)
    try:
        await answer_of(provider.refund(money_back), "refund", refund_id=str(refund.id))
    except OutcomeUnknown as exc:
        raise RetryLater(reason="The provider did not confirm the refund.") from exc
    async with context.unit() as unit:
        await unit.execute(SETTLE_REFUND, refund_id=refund.id, now=utc_now())
