"""The tables of the service, as an application of the ORM declares them. Shared by the two peers that use it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column, DateTime, ForeignKey, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own attribute
        datetime: DateTime(timezone=True),
        list[str]: JSON,
        dict[str, str]: JSON,
        int: BigInteger,
    }
    no_metadata = None
    """Of a post or product, for those who may not change it."""


user_roles = Table(
    "user_roles",
    Base.metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("role_id", ForeignKey("roles.id"), primary_key=True),
)


class Role(Base):
    __tablename__ = "roles"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class User(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    username: Mapped[str | None]
    name: Mapped[str | None]
    locale: Mapped[str]
    is_active: Mapped[bool]
    is_verified: Mapped[bool]
    is_superuser: Mapped[bool]
    is_service: Mapped[bool]
    metadata_: Mapped[dict[str, str]] = mapped_column("metadata")
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int]
    # One more statement for all rows of a page: what SQLAlchemy's documentation advises for collections.
    role_rows: Mapped[list[Role]] = relationship(secondary=user_roles, lazy="selectin")

    @property
    def roles(self) -> list[str]:
        return sorted(role.name for role in self.role_rows)


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    slug: Mapped[str]
    excerpt: Mapped[str]
    tags: Mapped[list[str]]
    published_at: Mapped[datetime | None]
    public_from: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int]
    content: Mapped[str] = mapped_column(deferred=True)  # lists do not show it

    @property
    def is_published(self) -> bool:
        return self.published_at is not None


class ProductTag(Base):
    __tablename__ = "product_tags"

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)


class Product(Base):
    __tablename__ = "products"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sku: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    price_units: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    stock: Mapped[int]
    is_active: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int]
    tag_rows: Mapped[list[ProductTag]] = relationship(lazy="selectin")

    @property
    def tags(self) -> list[str]:
        return sorted(row.tag for row in self.tag_rows)

    @property
    def price(self) -> dict[str, Any]:
        return {"amount": f"{self.price_units / 100:.2f}", "currency": self.currency}
