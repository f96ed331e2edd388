"""Rows as the database has them; ``to_read`` makes what goes over the wire."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.domain.orders.dtos import (
    OrderEventRead,
    OrderItemRead,
    OrderRead,
    PaymentRead,
    RefundItemRead,
    RefundRead,
    TrackingRead,
)
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


class Recipient(msgspec.Struct, frozen=True):
    """The address of a mail, and its language."""

    email: str
    locale: str


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
    tracking_carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    metadata: dict[str, str]
    payment_processing: bool
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def total(self) -> Money:
        return Money.from_minor_units(self.total_units, self.currency)

    @property
    def refunded(self) -> Money:
        return Money.from_minor_units(self.refunded_units, self.currency)

    @property
    def tracking(self) -> TrackingRead | None:
        if self.tracking_carrier is None or self.tracking_number is None:
            return None
        return TrackingRead(carrier=self.tracking_carrier, number=self.tracking_number, url=self.tracking_url)

    def to_read(self, items: Sequence[ItemRow]) -> OrderRead:
        return project(OrderRead, self, items=[each.to_read(self.currency) for each in items])


class RefundLine(msgspec.Struct, frozen=True):
    """Refunded pieces of a line, and whether they returned to the stock."""

    product_id: UUID
    sku: str
    name: str
    quantity: int
    amount_units: int
    restock: bool


def _lines_read(lines: list[dict[str, Any]] | None, currency: str) -> list[RefundItemRead]:
    found = msgspec.convert(lines or [], list[RefundLine])
    return [project(RefundItemRead, x, amount=Money.from_minor_units(x.amount_units, currency)) for x in found]


class EventRow(msgspec.Struct, frozen=True):
    id: UUID
    kind: str
    status: str
    actor: str
    amount_units: int
    currency: str
    reason: str | None
    refund_id: UUID | None
    lines: list[dict[str, Any]] | None
    created_at: datetime

    def to_read(self) -> OrderEventRead:
        amount = Money.from_minor_units(self.amount_units, self.currency)
        return project(OrderEventRead, self, amount=amount, items=_lines_read(self.lines, self.currency))


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


class RefundListRow(msgspec.Struct, frozen=True):
    id: UUID
    status: str
    amount_units: int
    currency: str
    reason: str | None
    lines: list[dict[str, Any]]
    created_at: datetime
    settled_at: datetime | None

    def to_read(self) -> RefundRead:
        amount = Money.from_minor_units(self.amount_units, self.currency)
        return project(RefundRead, self, amount=amount, items=_lines_read(self.lines, self.currency))


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
