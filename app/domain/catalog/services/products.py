from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from app.domain.catalog.dtos import ProductCreate, ProductRead, ProductUpdate
from app.domain.catalog.errors import ProductNotFound, ProductWasOrdered, SkuTaken
from app.domain.catalog.models import Product
from app.domain.catalog.repositories.products import ProductRepository
from app.domain.catalog.repositories.stock import StockRepository
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.faults import violated_columns
from app.lib.db.service import EntityService
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.text import casefold_key
from app.lib.wire.dto import provided
from app.lib.wire.money import Money


class ProductService(EntityService[Product, ProductRepository]):
    """How products come, change and go."""

    repository_type = ProductRepository
    not_found = ProductNotFound

    def __init__(self, unit: UnitOfWork, origin: Origin) -> None:
        super().__init__(unit)
        self.origin = origin
        self.stock = StockRepository(unit.session)

    async def add(self, data: ProductCreate) -> ProductRead:
        """Raises ``SkuTaken``."""
        [product] = await self._insert([data], ["/sku"])
        return product

    async def add_all(self, data: Sequence[ProductCreate]) -> list[ProductRead]:
        """All of them or, raising ``SkuTaken``, none."""
        pointers = [f"/items/{number}/sku" for number in range(len(data))]
        seen: set[str] = set()
        taken = set(await self.repository.taken_skus(each.sku for each in data))
        bad = []
        for each, pointer in zip(data, pointers, strict=True):
            if each.sku in taken or each.sku in seen:
                bad.append(pointer)
            seen.add(each.sku)
        if bad:
            raise SkuTaken(bad)
        return await self._insert(data, pointers)

    async def change(self, product_id: UUID, data: ProductUpdate, if_match: IfMatch) -> ProductRead:
        """Raises ``PreconditionRequired``, ``ProductNotFound``, ``PreconditionFailed``, ``ValidationFailed`` or
        ``SkuTaken``.
        """
        if_match.require()
        product = await self.require_locked(product_id, if_match.versions)
        present = provided(data)
        tags = sorted(set(present.pop("tags", await self.repository.tags_of(product_id))))
        retagged = tags != await self.repository.tags_of(product_id)
        before, price = product.version, Money.from_minor_units(product.price_units, product.currency)
        if "price" in present:
            present["price"] = present["price"].merged(price)
        _assign(product, present)
        if retagged:
            product.updated_at = utc_now()  # a change of the product, although its own row says the same
        await self._flush(["/sku"])
        if retagged:
            await self.repository.replace_tags(product_id, tags)
        if present.get("price", price) != price:
            await self.repository.add_prices([product])
        if product.version != before:
            await self._audit("product.updated", product, fields=sorted(provided(data)))
        return await self._read(product_id)

    async def remove(self, product_id: UUID, if_match: IfMatch) -> None:
        """Raises ``PreconditionRequired``, ``ProductNotFound``, ``PreconditionFailed`` or ``ProductWasOrdered``.

        The lock is as strong as a deletion needs it from the first, because a stronger one later may close a circle.
        """
        if_match.require()
        product = await self.repository.lock_where(Product.id == product_id)
        if product is None:
            raise ProductNotFound
        if_match.check(product.version)
        await self._audit("product.deleted", product, sku=product.sku)
        try:
            await self.unit.session.delete(product)
            await self.unit.session.flush()
        except IntegrityError as exc:  # lines of orders refer to it, and nothing else that stays
            raise ProductWasOrdered from exc

    async def _insert(self, data: Sequence[ProductCreate], pointers: Sequence[str]) -> list[ProductRead]:
        products = [_new_product(each) for each in data]
        self.unit.session.add_all(products)
        await self._flush(pointers)
        await self.repository.add_tags({product.id: each.tags for product, each in zip(products, data, strict=True)})
        await self.repository.add_prices(products)
        await self.stock.record([_initial(each) for each in products if each.stock])
        for each in products:
            await self._audit("product.created", each, sku=each.sku)
        return [await self._read(each.id) for each in products]

    async def _flush(self, pointers: Sequence[str]) -> None:
        try:
            await self.repository.flush()
        except IntegrityError as exc:
            if "sku" in violated_columns(exc):
                raise SkuTaken(pointers if len(pointers) == 1 else ["/items"]) from exc
            raise

    async def _read(self, product_id: UUID) -> ProductRead:
        return (await self.repository.read(product_id)).to_read()

    async def _audit(self, kind: str, product: Product, **details: Any) -> None:
        await audit.record(self.unit, kind, self.origin, subject_id=product.id, **details)


def _new_product(data: ProductCreate) -> Product:
    product = Product(id=new_id(), stock=data.stock)
    wanted = {"sku": data.sku, "name": data.name, "description": data.description, "is_active": data.is_active}
    _assign(product, {**wanted, "price": data.price})
    return product


def _assign(product: Product, present: Mapping[str, Any]) -> None:
    for name, value in present.items():
        if name == "price":
            product.price_units, product.currency = value.minor_units, value.currency
        else:
            setattr(product, name, value)
    if {"sku", "name", "description"} & present.keys():
        product.name_key = casefold_key(product.name)
        product.search_text = "\n".join(
            (product.name_key, casefold_key(product.sku), casefold_key(product.description or ""))
        )


def _initial(product: Product) -> dict[str, Any]:
    return {
        "product_id": product.id,
        "kind": "initial",
        "delta": product.stock,
        "balance": product.stock,
        "reason": None,
        "order_id": None,
    }
