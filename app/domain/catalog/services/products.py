from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from app.domain.catalog.dtos import ProductCreate, ProductRead, ProductUpdate
from app.domain.catalog.errors import ProductHasHistory, ProductWasOrdered, SkuTaken
from app.domain.catalog.events import ProductDeleted
from app.domain.catalog.models import Product
from app.domain.catalog.repositories.products import ProductRepository
from app.domain.catalog.repositories.stock import Balance, StockRepository
from app.domain.catalog.rows import ProductRow
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.events import Events
from app.lib.text import casefold_key
from app.lib.wire.dto import project, provided
from app.lib.wire.metadata import merge_metadata
from app.lib.wire.money import Money


class ProductService:
    """Products and their prices, in one unit of work."""

    def __init__(self, unit: UnitOfWork, origin: Origin, events: Events) -> None:
        self.unit = unit
        self.events = events
        self._origin = origin
        self._products = ProductRepository(unit)
        self._stock = StockRepository(unit)

    async def create(self, data: ProductCreate) -> ProductRead:
        """Raises ``SkuTaken``."""
        product = Product(
            id=new_id(), sku=data.sku, stock=data.stock, is_active=data.is_active, metadata_=data.metadata
        )
        _assign(product, {"name": data.name, "description": data.description, "price": data.price})
        await self._products.create(product)
        tags = sorted(set(data.tags))
        await self._products.set_tags(product.id, tags)
        await self._products.add_price(product)
        if product.stock:
            await self._stock.record([Balance(product.id, product.stock)], [product.stock], "initial")
        await audit.record(self.unit, "product.created", self._origin, subject_id=product.id, sku=product.sku)
        return _read(product, tags)

    async def create_many(self, data: Sequence[ProductCreate]) -> list[ProductRead]:
        """All of them or, raising ``SkuTaken``, none."""
        seen = set(await self._products.taken_skus(each.sku for each in data))
        duplicates: list[str] = []
        for number, each in enumerate(data):
            if each.sku in seen:
                duplicates.append(f"/items/{number}/sku")
            seen.add(each.sku)
        if duplicates:
            raise SkuTaken(duplicates)
        created: list[ProductRead] = []
        for number, each in enumerate(data):
            try:
                created.append(await self.create(each))
            except SkuTaken as exc:  # by another request, since they were looked up
                raise SkuTaken([f"/items/{number}/sku"]) from exc
        return created

    async def update(self, product_id: UUID, data: ProductUpdate, if_match: IfMatch) -> ProductRead:
        """Raises ``PreconditionRequired``, ``ProductNotFound``, ``PreconditionFailed``, ``ValidationFailed`` or
        ``SkuTaken``.
        """
        if_match.require()
        await self.unit.wait_turn(product_id)
        product = await self._products.get_for_update(product_id, if_match, key_share=True)
        old_tags = await self._products.tags(product_id)
        old_price = Money.from_minor_units(product.price_units, product.currency)
        values = provided(data)
        tags = sorted(set(values.pop("tags", old_tags)))
        if "metadata" in values:
            values["metadata_"] = merge_metadata(product.metadata_, values.pop("metadata"))
        if "price" in values:
            values["price"] = values["price"].merged(old_price)
        _assign(product, values)
        is_changed = await self._products.update(product, touch=tags != old_tags)
        if tags != old_tags:
            await self._products.set_tags(product_id, tags)
        if values.get("price", old_price) != old_price:
            await self._products.add_price(product)
        if is_changed:
            fields = sorted(provided(data))
            await audit.record(self.unit, "product.updated", self._origin, subject_id=product_id, fields=fields)
        return _read(product, tags)

    async def delete(self, product_id: UUID, if_match: IfMatch) -> None:
        """Raises ``PreconditionRequired``, ``ProductNotFound``, ``PreconditionFailed``, ``ProductHasHistory`` or
        ``ProductWasOrdered``.

        The lock is as strong as a deletion needs it from the start: a stronger one later could cause a deadlock.
        """
        if_match.require()
        await self.unit.wait_turn(product_id)
        product = await self._products.get_for_update(product_id, if_match)
        if await self._products.has_long_history(product_id):  # which would all be deleted by one statement
            raise ProductHasHistory
        await audit.record(self.unit, "product.deleted", self._origin, subject_id=product_id, sku=product.sku)
        try:
            await self._products.delete(product)
        except IntegrityError as exc:  # only lines of orders refer to a product and stay
            raise ProductWasOrdered from exc
        deleted = ProductDeleted(aggregate_id=product_id, aggregate_version=product.version + 1)
        await self.events.publish(self.unit, deleted)


def _read(product: Product, tags: list[str]) -> ProductRead:
    return project(ProductRow, product, tags=tags, metadata=product.metadata_).to_read(shows_metadata=True)


def _assign(product: Product, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name == "price":
            product.price_units, product.currency = value.minor_units, value.currency
        else:
            setattr(product, name, value)
    if {"sku", "name", "description"} & values.keys():
        product.name_key = casefold_key(product.name)
        texts = (product.name_key, casefold_key(product.sku), casefold_key(product.description or ""))
        product.search_text = "\n".join(texts)
