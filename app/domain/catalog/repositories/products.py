from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    Boolean,
    String,
    bindparam,
    case,
    delete,
    exists,
    insert,
    or_,
    select,
)

from app.domain.catalog.dtos import StockMovementPage, StockMovementRead
from app.domain.catalog.errors import ProductNotFound, SkuTaken
from app.domain.catalog.models import Product, ProductPrice, ProductTag, StockMovement
from app.domain.catalog.rows import PriceRow, ProductRow
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.prepared import columns_of, joined_strings, prepare
from app.lib.db.repositories import EntityRepository
from app.lib.db.statements import BATCH
from app.lib.pagination.envelope import Page
from app.lib.pagination.filters import at_least, at_most, contains, custom, equals, times
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey

_tag_table = table_of(ProductTag)
_tags = joined_strings(Product, ProductTag.tag, ProductTag.product_id == Product.id)
_products = select(*columns_of(ProductRow, Product, tags=_tags, metadata=Product.metadata_))
PRODUCT = prepare(_products.where(Product.id == bindparam("product_id")), ProductRow)
_tags_of = prepare(select(ProductTag.tag).where(ProductTag.product_id == bindparam("product_id")), str)
_delete_tags = prepare(delete(_tag_table).where(_tag_table.c.product_id == bindparam("product_id")))
_insert_tag = prepare(insert(_tag_table))
_has_long_history = prepare(
    select(
        or_(
            *(
                select(each.id).where(each.product_id == bindparam("product_id")).offset(BATCH).limit(1).exists()
                for each in (StockMovement, ProductPrice)
            )
        )
    ),
    bool,
)
_insert_price = prepare(insert(table_of(ProductPrice)))

_SORTS = (
    SortKey("created_at", Product.created_at, datetime),
    SortKey("updated_at", Product.updated_at, datetime),
    SortKey("name", Product.name_key, str),
    SortKey("sku", Product.sku, str),
    SortKey("price", Product.price_units, int),
)

PRODUCT_LIST = ListQuery(
    "products",
    Page[ProductRow],
    _products,
    identity=Product.id,
    sorts=_SORTS,
    default_sort="-created_at",
    filters=(
        equals("is_active", Product.is_active),
        equals("on_offer", Product.is_active),
        equals("sku", Product.sku),
        equals("currency", Product.currency),
        at_least("min_price", Product.price_units),
        at_most("max_price", Product.price_units),
        custom("in_stock", Boolean(), lambda wanted: case((Product.stock > 0, True), else_=False) == wanted[0]),
        custom(
            "tag",
            String(),
            lambda tags: exists().where(ProductTag.product_id == Product.id, ProductTag.tag.in_(tags)),
            repeatable=True,
        ),
        contains("q", Product.search_text),
        *times(Product),
    ),
)

_movements = select(*columns_of(StockMovementRead, StockMovement))
MOVEMENT = prepare(
    _movements.where(StockMovement.id == bindparam("movement_id"), StockMovement.product_id == bindparam("product_id")),
    StockMovementRead,
)
MOVEMENT_LIST = ListQuery(
    "stock_movements",
    StockMovementPage,
    _movements,
    identity=StockMovement.id,
    sorts=(SortKey("created_at", StockMovement.created_at, datetime),),
    default_sort="-created_at",
    filters=(equals("product_id", StockMovement.product_id),),
)

PRICE_LIST = ListQuery(
    "product_prices",
    Page[PriceRow],
    select(*columns_of(PriceRow, ProductPrice)),
    identity=ProductPrice.id,
    sorts=(SortKey("created_at", ProductPrice.created_at, datetime),),
    default_sort="-created_at",
    filters=(equals("product_id", ProductPrice.product_id),),
)


class ProductRepository(EntityRepository[Product]):
    model = Product
    not_found = ProductNotFound
    taken = {"sku": SkuTaken}  # noqa: RUF012 - never changed

    async def has_long_history(self, product_id: UUID) -> bool:
        """Whether it has more than :data:`BATCH` movements or prices."""
        return bool(await self.unit.first(_has_long_history, product_id=product_id))

    async def taken_skus(self, skus: Iterable[str]) -> frozenset[str]:
        found = await self.unit.session.execute(select(Product.sku).where(Product.sku.in_(set(skus))))
        return frozenset(found.scalars())

    async def tags(self, product_id: UUID) -> list[str]:
        return sorted(await self.unit.all(_tags_of, product_id=product_id))

    async def set_tags(self, product_id: UUID, tags: Iterable[str]) -> None:
        await self.unit.execute(_delete_tags, product_id=product_id)
        await self.unit.execute_many(_insert_tag, [{"product_id": product_id, "tag": tag} for tag in tags])

    async def add_price(self, product: Product) -> None:
        """Keeps the price that the product has from now on."""
        await self.unit.execute(
            _insert_price,
            id=new_id(),
            product_id=product.id,
            price_units=product.price_units,
            currency=product.currency,
            created_at=utc_now(),
        )
