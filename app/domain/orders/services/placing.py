from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from app.domain.accounts.services.access import account_must_exist
from app.domain.catalog.errors import ProductsChanged
from app.domain.catalog.rows import Offer
from app.domain.catalog.services.stock import StockService, Wanted, refuse_shortages
from app.domain.orders.dtos import OrderCreate, OrderRead
from app.domain.orders.machine import Role, Status
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.rows import ItemRow, OrderRow
from app.domain.orders.services.history import History
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.retries import in_savepoint
from app.lib.db.uow import UnitOfWork
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.events import Events
from app.lib.security.principal import Principal


class PlacingService:
    """From what somebody wants to an order that is theirs, and stock that is nobody else's any more."""

    def __init__(self, unit: UnitOfWork, events: Events, *, expire_after: timedelta) -> None:
        self._unit = unit
        self._stock = StockService(unit)
        self._orders = OrderRepository(unit.session)
        self._history = History(unit, events)
        self._expire_after = expire_after

    async def place(self, data: OrderCreate, customer: Principal) -> OrderRead:
        """Raises ``AccountGone``, ``ValidationFailed``, ``InsufficientStock`` or, in the end, ``ProductsChanged``.

        Deadlocks and products that change while they are being sold are tried again, unseen by the customer.
        """
        return await in_savepoint(self._unit.session, lambda: self._place(data, customer), also=(ProductsChanged,))

    async def _place(self, data: OrderCreate, customer: Principal) -> OrderRead:
        lines = [
            Wanted(product_id=each.product_id, quantity=each.quantity, pointer=f"/items/{number}")
            for number, each in enumerate(data.items)
        ]
        offers = await self._stock.offers(lines)
        currency = _one_currency(lines, offers)
        refuse_shortages(lines, offers)
        order_id = new_id()
        items = [_item(order_id, number, line, offers) for number, line in enumerate(lines)]
        order = self._order(order_id, customer.user_id, currency, items, data.notes)
        with account_must_exist():
            await self._history.record(order, "placed", Role.CUSTOMER, after=[self._orders.new(order)])
        # Last, because everybody who wants the same product waits from here to the commit.
        await self._stock.take(lines, offers, order_id, self._orders.new_items(items))
        return order.to_read(items)

    def _order(
        self, order_id: UUID, customer_id: UUID, currency: str, items: Sequence[ItemRow], notes: str | None
    ) -> OrderRow:
        now = utc_now()
        return OrderRow(
            id=order_id,
            status=Status.PENDING.value,
            customer_id=customer_id,
            currency=currency,
            total_units=sum(each.total_units for each in items),
            refunded_units=0,
            notes=notes,
            payment_processing=False,
            expires_at=now + self._expire_after,
            created_at=now,
            updated_at=now,
            version=1,
        )


def _one_currency(lines: Sequence[Wanted], offers: Mapping[UUID, Offer]) -> str:
    currency = offers[lines[0].product_id].currency
    detail = "An order has one currency, and this product has another than the first one."
    errors = [
        FieldError(pointer=f"{each.pointer}/product_id", code=FieldCode.INVALID_CHOICE, detail=detail)
        for each in lines
        if offers[each.product_id].currency != currency
    ]
    if errors:
        raise ValidationFailed(errors)
    return currency


def _item(order_id: UUID, position: int, line: Wanted, offers: Mapping[UUID, Offer]) -> ItemRow:
    offer = offers[line.product_id]
    return ItemRow(
        order_id=order_id,
        product_id=line.product_id,
        position=position,
        sku=offer.sku,
        name=offer.name,
        quantity=line.quantity,
        unit_price_units=offer.price_units,
        total_units=offer.price_units * line.quantity,
        refunded_quantity=0,
    )
