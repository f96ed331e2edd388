"""Rows that are read but never sent as they are."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.catalog.dtos import ProductPriceRead, ProductRead
from app.lib.wire.dto import project
from app.lib.wire.money import Money


class ProductRow(msgspec.Struct, frozen=True):
    id: UUID
    sku: str
    name: str
    description: str | None
    price_units: int
    currency: str
    stock: int
    is_active: bool
    tags: list[str]
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    version: int

    def to_read(self, *, shows_metadata: bool) -> ProductRead:
        price = Money.from_minor_units(self.price_units, self.currency)
        return project(ProductRead, self, price=price, metadata=self.metadata if shows_metadata else None)


class PriceRow(msgspec.Struct, frozen=True):
    id: UUID
    price_units: int
    currency: str
    created_at: datetime

    def to_read(self) -> ProductPriceRead:
        price = Money.from_minor_units(self.price_units, self.currency)
        return project(ProductPriceRead, self, price=price)


class ProductTerms(msgspec.Struct, frozen=True):
    """The terms on which a product is sold, and its stock a moment ago."""

    id: UUID
    sku: str
    name: str
    price_units: int
    currency: str
    stock: int
    is_active: bool
