from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Identity,
    Index,
    Integer,
    String,
    literal_column,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base, Entity, new_id

IS_UNPAID: ColumnElement[bool] = literal_column("status = 'pending'")
"""Of an order, as the partial index has it."""
_LIVE_PAYMENT: ColumnElement[bool] = literal_column("status IN ('processing', 'succeeded')")


class Order(Entity):
    """``…_units`` are amounts in the currency's smallest unit. ``customer_id`` is null when the account is deleted.
    ``number`` is for people.
    """

    __tablename__ = "orders"

    number: Mapped[int] = mapped_column(BigInteger, Identity(start=1001))
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(String(16))
    currency: Mapped[str] = mapped_column(String(3))
    total_units: Mapped[int] = mapped_column(BigInteger)
    refunded_units: Mapped[int] = mapped_column(BigInteger, default=0)
    notes: Mapped[str | None] = mapped_column(String(500))
    tracking_carrier: Mapped[str | None] = mapped_column(String(64))
    tracking_number: Mapped[str | None] = mapped_column(String(64))
    tracking_url: Mapped[str | None] = mapped_column(String(2048))
    metadata_: Mapped[dict[str, str]] = mapped_column("metadata", JSON, default=dict)
    payment_processing: Mapped[bool] = mapped_column(Boolean, default=False)
    expires_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("refunded_units BETWEEN 0 AND total_units", name="refunded_within_total"),
        Index(None, "number", unique=True),
        Index(None, "customer_id", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "updated_at", "id"),
        Index(None, "status", "created_at", "id"),
        Index(None, "expires_at"),
        Index(None, "customer_id", postgresql_where=IS_UNPAID, sqlite_where=IS_UNPAID),
    )


class OrderItem(Base):
    """A line, with the product's name, SKU and price at the time of the order."""

    __tablename__ = "order_items"

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="RESTRICT"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer)
    sku: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(255))
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price_units: Mapped[int] = mapped_column(BigInteger)
    total_units: Mapped[int] = mapped_column(BigInteger)
    refunded_quantity: Mapped[int] = mapped_column(Integer, default=0)

    __table_args__ = (
        CheckConstraint("refunded_quantity BETWEEN 0 AND quantity", name="refunded_within_quantity"),
        Index(None, "product_id", "order_id"),
    )


class OrderEvent(Base):
    """A line of an order's timeline."""

    __tablename__ = "order_events"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(16))
    amount_units: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str | None] = mapped_column(String(500))
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("order_refunds.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]

    __table_args__ = (Index(None, "order_id", "created_at", "id"),)


class OrderPayment(Base):
    """An attempt to pay, written before the provider is asked. Its id is the reference that makes the call idempotent
    there; an order has at most one that may still succeed or has succeeded.
    """

    __tablename__ = "order_payments"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(String(32))
    method: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16))
    amount_units: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        Index(None, "order_id", unique=True, postgresql_where=_LIVE_PAYMENT, sqlite_where=_LIVE_PAYMENT),
        Index(None, "order_id", "created_at"),
    )


class OrderRefund(Base):
    """Money that goes back: written in the transaction of the refund, then sent by a job until it has arrived. Each of
    the ``lines`` is a ``RefundLine``. The reason is in the timeline.
    """

    __tablename__ = "order_refunds"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), index=True)
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("order_payments.id", ondelete="CASCADE"), index=True)
    status: Mapped[str] = mapped_column(String(16))
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    amount_units: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class SandboxTransaction(Base):
    """The ledger of the built-in test provider. It stands for another company's: nothing refers to it."""

    __tablename__ = "test_provider_transactions"

    reference: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    outcome: Mapped[str] = mapped_column(String(16))
    method: Mapped[str] = mapped_column(String(32))
    amount_units: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    calls: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
