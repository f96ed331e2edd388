from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from app.domain.catalog.errors import ProductsChanged
from app.domain.catalog.rows import ProductTerms
from app.domain.catalog.services.stock import CartLine, StockService, refuse_shortages
from app.domain.orders.dtos import OrderCreate, OrderRead
from app.domain.orders.errors import TooManyOpenOrders
from app.domain.orders.machine import Role, Status
from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.rows import ItemRow, OrderRow
from app.domain.orders.services.timeline import Timeline
from app.domain.orders.settings import OrderSettings
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.retries import in_savepoint
from app.lib.db.uow import UnitOfWork
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.events import Events
from app.lib.security.principal import Principal


class PlaceService:
    """Turns a cart into an order and takes its lines from the stock, in one unit of work."""

    def __init__(self, unit: UnitOfWork, events: Events, settings: OrderSettings) -> None:
        self.unit = unit
        self._stock = StockService(unit)
        self._orders = OrderRepository(unit)
        self._timeline = Timeline(unit, events)
        self._settings = settings

    async def place(self, data: OrderCreate, customer: Principal) -> OrderRead:
        """Raises ``AccountGone``, ``ValidationFailed``, ``InsufficientStock``, ``TooManyOpenOrders`` or, in the end,
        ``ProductsChanged``.

        Deadlocks and products that change at the same moment are tried again, which the customer does not notice.
        """
        return await in_savepoint(self.unit, lambda: self._place(data, customer), also=(ProductsChanged,))

    async def _place(self, data: OrderCreate, customer: Principal) -> OrderRead:
        cart = [
            CartLine(product_id=each.product_id, quantity=each.quantity, pointer=f"/items/{number}")
            for number, each in enumerate(data.items)
        ]
        # Their rows are locked below: so few wait for them in a transaction, and the others without one.
        counted = (customer.user_id,) if self._settings.order_max_open else ()
        self.unit.take_turn(*counted, *(line.product_id for line in cart))
        terms = await self._stock.terms(cart)
        currency = _one_currency(cart, terms)
        refuse_shortages(cart, terms)
        minutes = await self._minutes_to_pay(customer, sum(line.quantity for line in cart))
        order_id = new_id()
        # Every buyer of the same product waits from here to the commit, so only inserts follow. The order comes after
        # what may be refused, so that its number is not lost; and its times after the wait, so that who copies orders
        # by `updated_at` does not pass it by.
        await self._stock.sell(cart, terms, order_id)
        now = utc_now()
        items = [_item(order_id, number, line, terms[line.product_id]) for number, line in enumerate(cart)]
        order = OrderRow(
            id=order_id,
            number=0,
            status=Status.PENDING.value,
            customer_id=customer.user_id,
            currency=currency,
            total_units=sum(each.total_units for each in items),
            refunded_units=0,
            notes=data.notes,
            tracking_carrier=None,
            tracking_number=None,
            tracking_url=None,
            metadata=data.metadata,
            payment_processing=False,
            expires_at=now + timedelta(minutes=minutes),
            created_at=now,
            updated_at=now,
            version=1,
        )
        order = await self._orders.create(order)
        await self._orders.create_items(items)
        await self._timeline.record(order, "placed", Role.CUSTOMER)
        return order.to_read(items)

    async def _minutes_to_pay(self, customer: Principal, pieces: int) -> int:
        """Until the commit no other order of the customer is placed, so that the count stays true."""
        settings = self._settings
        if settings.order_max_open:
            await self._orders.lock_customer(customer.user_id)
            unpaid = await self._orders.count_open(customer.user_id)
            if unpaid.orders >= settings.order_max_open or unpaid.pieces + pieces > settings.order_max_open_pieces:
                raise TooManyOpenOrders(settings.order_max_open, settings.order_max_open_pieces)
        if customer.is_verified:
            return settings.order_expire_minutes
        return min(settings.order_expire_minutes, settings.order_expire_minutes_unverified)


def _one_currency(cart: Sequence[CartLine], terms: Mapping[UUID, ProductTerms]) -> str:
    currency = terms[cart[0].product_id].currency
    detail = "An order has one currency, and this product has another than the first one."
    errors = [
        FieldError(pointer=f"{each.pointer}/product_id", code=FieldCode.INVALID_CHOICE, detail=detail)
        for each in cart
        if terms[each.product_id].currency != currency
    ]
    if errors:
        raise ValidationFailed(errors)
    return currency


def _item(order_id: UUID, position: int, line: CartLine, terms: ProductTerms) -> ItemRow:
    return ItemRow(
        order_id=order_id,
        product_id=line.product_id,
        position=position,
        sku=terms.sku,
        name=terms.name,
        quantity=line.quantity,
        unit_price_units=terms.price_units,
        total_units=terms.price_units * line.quantity,
        refunded_quantity=0,
    )
