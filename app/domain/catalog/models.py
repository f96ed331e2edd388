from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base, Entity, new_id, sortable_text


class Product(Entity):
    """``…_units`` are amounts in the currency's smallest unit. ``stock`` is the sum of the product's movements."""

    __tablename__ = "products"

    sku: Mapped[str] = mapped_column(sortable_text(64), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    name_key: Mapped[str] = mapped_column(Text().with_variant(Text(collation="C"), "postgresql"))
    description: Mapped[str | None] = mapped_column(String(2000))
    search_text: Mapped[str] = mapped_column(Text)
    price_units: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    stock: Mapped[int] = mapped_column(BigInteger, default=0)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    metadata_: Mapped[dict[str, str]] = mapped_column("metadata", JSON, default=dict)

    __table_args__ = (
        CheckConstraint("stock >= 0", name="stock_not_negative"),
        Index(None, "created_at", "id"),
        Index(None, "updated_at", "id"),
        Index(None, "currency", "price_units", "id"),
    )


class ProductTag(Base):
    __tablename__ = "product_tags"

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(sortable_text(50), primary_key=True, index=True)


class ProductPrice(Base):
    """A price of a product from ``created_at`` until the next one."""

    __tablename__ = "product_prices"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    price_units: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    created_at: Mapped[datetime]

    __table_args__ = (Index(None, "product_id", "created_at", "id"),)


class StockMovement(Base):
    """One line of the ledger; the balance is the stock right after it. ``order_id`` is no foreign key, because orders
    are another domain above this one.
    """

    __tablename__ = "stock_movements"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    delta: Mapped[int] = mapped_column(BigInteger)
    balance: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(String(255))
    order_id: Mapped[UUID | None] = mapped_column(index=True)
    created_at: Mapped[datetime]

    __table_args__ = (Index(None, "product_id", "created_at", "id"),)
