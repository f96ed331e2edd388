"""Every statement about products and their stock. ``…Reads`` read without a transaction, ``…Repository`` in one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    CursorResult,
    Insert,
    String,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.types import TypeEngine

from app.domain.catalog.dtos import StockMovementPage, StockMovementRead
from app.domain.catalog.models import Product, ProductPrice, ProductTag, StockMovement
from app.domain.catalog.rows import Offer, PriceRow, PriceRowPage, ProductRow, ProductRowPage
from app.lib.clock import utc_now
from app.lib.db.base import SplitText, new_id, table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.reader import Reader
from app.lib.db.repository import Repository
from app.lib.db.statements import is_postgresql
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.filters import at_least, at_most, contains, custom, equals
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey
from app.lib.security.emails import fold

_product_rows, _movement_rows = table_of(Product), table_of(StockMovement)

_tags = type_coerce(
    select(func.aggregate_strings(ProductTag.tag, ","))
    .where(ProductTag.product_id == Product.id)
    .correlate(Product)
    .scalar_subquery(),
    SplitText(),
)
_products = select(*columns_of(ProductRow, Product, tags=_tags))
_product = prepare(_products.where(Product.id == bindparam("product_id")), ProductRow)

PRODUCT_SORTS = (
    SortKey("created_at", Product.created_at, datetime),
    SortKey("name", Product.name_key, str),
    SortKey("sku", Product.sku, str),
    SortKey("price", Product.price_units, int),
)

PRODUCT_LIST = ListQuery(
    "products",
    ProductRowPage,
    _products,
    identity=Product.id,
    sorts=PRODUCT_SORTS,
    default_sort="-created_at",
    filters=(
        equals("is_active", Product.is_active),
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
        contains("q", Product.search_text, fold=fold),
    ),
)

MOVEMENT_LIST = ListQuery(
    "stock_movements",
    StockMovementPage,
    select(*columns_of(StockMovementRead, StockMovement)),
    identity=StockMovement.id,
    sorts=(SortKey("created_at", StockMovement.created_at, datetime),),
    default_sort="-created_at",
    filters=(equals("product_id", StockMovement.product_id),),
)

PRICE_LIST = ListQuery(
    "product_prices",
    PriceRowPage,
    select(*columns_of(PriceRow, ProductPrice)),
    identity=ProductPrice.id,
    sorts=(SortKey("created_at", ProductPrice.created_at, datetime),),
    default_sort="-created_at",
    filters=(equals("product_id", ProductPrice.product_id),),
)


class CatalogReads:
    """Products as they are shown."""

    def __init__(self, reader: Reader, cursors: CursorCodec) -> None:
        self._reader = reader
        self._cursors = cursors

    async def product(self, product_id: UUID) -> ProductRow | None:
        return await self._reader.first(_product, product_id=product_id)

    async def products(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> ProductRowPage:
        return await paginate(self._reader, PRODUCT_LIST, paging, self._cursors, sort=sort, filters=filters)

    async def movements(self, product_id: UUID, paging: PageRequest) -> StockMovementPage:
        only = {"product_id": product_id}
        return await paginate(self._reader, MOVEMENT_LIST, paging, self._cursors, filters=only)

    async def prices(self, product_id: UUID, paging: PageRequest) -> PriceRowPage:
        return await paginate(self._reader, PRICE_LIST, paging, self._cursors, filters={"product_id": product_id})


class ProductRepository(Repository[Product]):
    model_type = Product

    async def lock(self, item_id: UUID) -> Product | None:
        """As it is now, locked against changes, but not against orders that refer to it."""
        found = await self.session.execute(
            select(Product)
            .where(Product.id == item_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        return found.scalar_one_or_none()

    async def read(self, product_id: UUID) -> ProductRow:
        """As this transaction has it."""
        found = await self.session.execute(_products.where(Product.id == product_id))
        return ProductRow(*found.one())

    async def taken_skus(self, skus: Iterable[str]) -> frozenset[str]:
        found = await self.session.execute(select(Product.sku).where(Product.sku.in_(set(skus))))
        return frozenset(found.scalars())

    async def replace_tags(self, product_id: UUID, tags: Iterable[str]) -> None:
        await self.session.execute(delete(ProductTag).where(ProductTag.product_id == product_id))
        await self.add_tags({product_id: tags})

    async def add_tags(self, tags: Mapping[UUID, Iterable[str]]) -> None:
        if rows := [{"product_id": key, "tag": tag} for key, found in tags.items() for tag in sorted(set(found))]:
            await self.session.execute(insert(ProductTag), rows)

    async def tags_of(self, product_id: UUID) -> list[str]:
        found = await self.session.execute(select(ProductTag.tag).where(ProductTag.product_id == product_id))
        return sorted(found.scalars())

    async def add_prices(self, products: Iterable[Product]) -> None:
        """Keeps the prices that the products have from now on."""
        rows = [
            {
                "id": new_id(),
                "product_id": each.id,
                "price_units": each.price_units,
                "currency": each.currency,
                "created_at": utc_now(),
            }
            for each in products
        ]
        await self.session.execute(insert(ProductPrice), rows)


class StockRepository:
    """Stock is changed by conditional updates alone, never by what was read before."""

    def __init__(self, session: Any) -> None:
        self._session = session

    async def offers(self, product_ids: Iterable[UUID]) -> dict[UUID, Offer]:
        """Those that there are, also inactive ones."""
        found = await self._session.execute(select(*columns_of(Offer, Product)).where(Product.id.in_(set(product_ids))))
        return {row.id: Offer(*row) for row in found}

    async def take(self, lines: Sequence[tuple[Offer, int]], order_id: UUID) -> bool:
        """Takes so many pieces of each on exactly the terms of the offer, and notes them in the ledger.

        False when there are not enough of one, or other terms now: then the caller has to go back, because some may
        have been taken.
        """
        terms = [
            and_(
                _product_rows.c.id == offer.id,
                _product_rows.c.stock >= quantity,
                _product_rows.c.is_active,
                _product_rows.c.price_units == offer.price_units,
                _product_rows.c.currency == offer.currency,
                _product_rows.c.name == offer.name,
                _product_rows.c.sku == offer.sku,
            )
            for offer, quantity in lines
        ]
        deltas = {offer.id: -quantity for offer, quantity in lines}
        return await self._move_all(deltas, or_(*terms), "order", None, order_id) == len(lines)

    async def give_back(self, quantities: Mapping[UUID, int], order_id: UUID, reason: str) -> None:
        """Puts pieces of an order back, and notes them in the ledger."""
        await self._move_all(quantities, true(), "return", reason, order_id)

    async def _move_all(
        self, deltas: Mapping[UUID, int], terms: ColumnElement[bool], kind: str, reason: str | None, order_id: UUID
    ) -> int:
        """How many products were changed. Those of which there are several are locked in the order of their ids."""
        moved = _moves(deltas, terms)
        columns = {"kind": kind, "reason": reason, "order_id": order_id, "created_at": utc_now()}
        if is_postgresql(self._session):
            found = await self._session.execute(_ledger_lines(moved.cte("moved"), deltas, columns))
            return found.rowcount if isinstance(found, CursorResult) else 0
        balances = (await self._session.execute(moved)).all()
        if balances:
            rows = [{"id": new_id(), **columns, "product_id": i, "delta": deltas[i], "balance": b} for i, b in balances]
            await self._session.execute(insert(_movement_rows), rows)
        return len(balances)

    async def add(self, product_id: UUID, delta: int, *, at_most: int | None = None) -> int | None:
        """The stock after the change; None when it would be negative or too large, or there is no such product."""
        fits = Product.stock + delta >= 0
        if at_most is not None:
            fits = and_(fits, Product.stock + delta <= at_most)
        return await self._move(and_(Product.id == product_id, fits), delta)

    async def _move(self, condition: Any, delta: int) -> int | None:
        moved = await self._session.execute(
            update(Product)
            .where(condition)
            .values(stock=Product.stock + delta, version=Product.version + 1)
            .returning(Product.stock)
            .execution_options(synchronize_session=False)
        )
        balance: int | None = moved.scalar_one_or_none()
        return balance

    async def record(self, movements: Sequence[Mapping[str, Any]]) -> None:
        """Lines of the ledger; each has ``product_id``, ``kind``, ``delta``, ``balance``, ``reason``, ``order_id``."""
        now = utc_now()
        if rows := [{"id": new_id(), "created_at": now, **each} for each in movements]:
            await self._session.execute(insert(StockMovement), rows)


def _moves(deltas: Mapping[UUID, int], terms: ColumnElement[bool]) -> Any:
    """Changes the stock of all these products on these terms; returns the id and the stock of each that was changed."""
    locked = _product_rows.alias("locked")
    in_order = select(locked.c.id).where(locked.c.id.in_(sorted(deltas))).order_by(locked.c.id)
    is_theirs = _product_rows.c.id.in_(in_order.with_for_update(key_share=True))
    return (
        update(_product_rows)
        .where(_product_rows.c.id == next(iter(deltas)) if len(deltas) == 1 else is_theirs, terms)
        .values(
            stock=_product_rows.c.stock + _by_product(_product_rows.c.id, deltas, BigInteger()),
            version=_product_rows.c.version + 1,
        )
        .returning(_product_rows.c.id, _product_rows.c.stock)
    )


def _ledger_lines(moved: CTE, deltas: Mapping[UUID, int], columns: Mapping[str, Any]) -> Insert:
    """The ledger's lines of moves in the same statement, so that a product is locked for one round trip less."""
    values = {
        **{name: literal(value, _movement_rows.c[name].type) for name, value in columns.items()},
        "id": _by_product(moved.c.id, {product_id: new_id() for product_id in deltas}, Uuid()),
        "product_id": moved.c.id,
        "delta": _by_product(moved.c.id, deltas, BigInteger()),
        "balance": moved.c.stock,
    }
    return insert(_movement_rows).from_select(list(values), select(*values.values()))


def _by_product(product_id: ColumnElement[UUID], values: Mapping[UUID, Any], kind: TypeEngine[Any]) -> Any:
    if len(values) == 1:
        return literal(next(iter(values.values())), kind)
    return case(*[(product_id == key, literal(value, kind)) for key, value in values.items()])
