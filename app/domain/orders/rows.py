"""Rows as the database has them; ``to_read`` makes what goes over the wire."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.orders.dtos import OrderEventRead, OrderItemRead, OrderRead, PaymentRead
from app.lib.wire.dto import project
from app.lib.wire.money import Money


class ItemRow(msgspec.Struct, frozen=True):
    order_id: UUID
    product_id: UUID
    position: int
    sku: str
    name: str
    quantity: int
    unit_price_units: int
    total_units: int
    refunded_quantity: int

    @property
    def refundable(self) -> int:
        """Pieces that are not refunded yet."""
        return self.quantity - self.refunded_quantity

    def to_read(self, currency: str) -> OrderItemRead:
        return project(
            OrderItemRead,
            self,
            unit_price=Money.from_minor_units(self.unit_price_units, currency),
            total=Money.from_minor_units(self.total_units, currency),
        )


class OpenOrders(msgspec.Struct, frozen=True):
    """What a customer has ordered and not paid."""

    orders: int
    pieces: int


class OrderRow(msgspec.Struct, frozen=True):
    id: UUID
    number: int
    status: str
    customer_id: UUID | None
    currency: str
    total_units: int
    refunded_units: int
    notes: str | None
    payment_processing: bool
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def total(self) -> Money:
        return Money.from_minor_units(self.total_units, self.currency)

    def to_read(self, items: Sequence[ItemRow]) -> OrderRead:
        lines = [each.to_read(self.currency) for each in items]
        refunded = Money.from_minor_units(self.refunded_units, self.currency)
        return project(OrderRead, self, items=lines, total=self.total, refunded=refunded)


class EventRow(msgspec.Struct, frozen=True):
    id: UUID
    kind: str
    status: str
    actor: str
    amount_units: int
    currency: str
    created_at: datetime

    def to_read(self) -> OrderEventRead:
        return project(OrderEventRead, self, amount=Money.from_minor_units(self.amount_units, self.currency))


class AttemptRow(msgspec.Struct, frozen=True):
    id: UUID
    method: str
    status: str
    amount_units: int
    currency: str
    created_at: datetime
    settled_at: datetime | None

    def to_read(self) -> PaymentRead:
        return project(PaymentRead, self, amount=Money.from_minor_units(self.amount_units, self.currency))


class PaymentRow(msgspec.Struct, frozen=True):
    """An attempt to pay."""

    id: UUID
    order_id: UUID
    provider: str
    method: str
    status: str
    amount_units: int
    currency: str


class RefundRow(msgspec.Struct, frozen=True):
    """Money that goes back through ``provider``, who was paid."""

    id: UUID
    payment_id: UUID
    provider: str
    status: str
    amount_units: int
    currency: str
