from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, case, insert, or_, select, update

from app.domain.catalog.dtos import MAX_STOCK, StockMovementRead
from app.domain.catalog.models import Product, StockMovement
from app.domain.catalog.rows import ProductTerms
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.prepared import Prepared, PreparedIn, columns_of, prepare
from app.lib.db.repositories import Repository

_products, _movements = table_of(Product), table_of(StockMovement)
_AGREED = ("price_units", "currency", "name", "sku")
"""The terms that must still be the same when a product is sold."""


class Balance(msgspec.Struct, frozen=True):
    """The stock of a product right after a change."""

    id: UUID
    stock: int


_delta = bindparam("delta", type_=_products.c.stock.type)
_now, _was = bindparam("now", type_=_products.c.updated_at.type), _products.c.updated_at
# Who waited for the row has an earlier time than it; it must not go back, or who copies by it misses the change.
_change = (
    update(_products)
    .where(_products.c.id == bindparam("product_id"))
    .values(stock=_products.c.stock + _delta, updated_at=case((_was > _now, _was), else_=_now))
    .returning(_products.c.id, _products.c.stock)
)
_sell = prepare(
    _change.where(
        _products.c.stock + _delta >= 0,
        _products.c.is_active,
        *[_products.c[name] == bindparam(name) for name in _AGREED],
    ),
    Balance,
)
_put_back = prepare(_change, Balance)
_adjust = prepare(
    # Returns may have lifted the stock above the bound; then it can still go down.
    _change.where(_products.c.stock + _delta >= 0, or_(_delta < 0, _products.c.stock + _delta <= MAX_STOCK)),
    Balance,
)
_record = prepare(insert(_movements))
_terms = PreparedIn(select(*columns_of(ProductTerms, Product)), Product.id, ProductTerms)


class StockRepository(Repository):
    """Stock changes by conditional updates alone, never by what was read before, and each change is in the ledger.

    Pass several products in the order of their ids: each update locks one, and one order of locks has no deadlocks.
    """

    async def terms(self, product_ids: Iterable[UUID]) -> dict[UUID, ProductTerms]:
        """The products that exist, also inactive ones."""
        prepared, values = _terms.of(product_ids)
        return {row.id: row for row in await self.unit.all(prepared, **values)}

    async def sell(self, lines: Sequence[tuple[ProductTerms, int]], order_id: UUID) -> bool:
        """Takes the quantity of each product on exactly these terms. False when a product has not enough left, or
        other terms now: then roll back, because others may have been taken.
        """
        changes = [
            {"product_id": each.id, "delta": -quantity} | {name: getattr(each, name) for name in _AGREED}
            for each, quantity in lines
        ]
        balances = await self._change(_sell, changes)
        if len(balances) < len(lines):
            return False
        await self.record(balances, [-quantity for _, quantity in lines], "order", order_id=order_id)
        return True

    async def put_back(self, quantities: Mapping[UUID, int], order_id: UUID, reason: str) -> None:
        """Returns pieces of an order to the stock."""
        changes = [{"product_id": product_id, "delta": quantity} for product_id, quantity in quantities.items()]
        balances = await self._change(_put_back, changes)
        await self.record(balances, list(quantities.values()), "return", reason=reason, order_id=order_id)

    async def adjust(self, product_id: UUID, delta: int, reason: str) -> StockMovementRead | None:
        """None when the stock would be negative or too large, or when there is no such product."""
        balances = await self._change(_adjust, [{"product_id": product_id, "delta": delta}])
        lines = await self.record(balances, [delta], "adjustment", reason=reason)
        return StockMovementRead(**lines[0]) if lines else None

    async def record(
        self,
        balances: Sequence[Balance],
        deltas: Sequence[int],
        kind: str,
        *,
        reason: str | None = None,
        order_id: UUID | None = None,
    ) -> list[dict[str, Any]]:
        """A line of the ledger for each balance, with the change that led to it. Returns the lines."""
        common = {"kind": kind, "reason": reason, "order_id": order_id, "created_at": utc_now()}
        lines = [
            {"id": new_id(), "product_id": each.id, "delta": delta, "balance": each.stock, **common}
            for each, delta in zip(balances, deltas, strict=False)
        ]
        await self.unit.insert(_record, *lines)
        return lines

    async def _change(self, statement: Prepared[Balance], changes: Sequence[dict[str, Any]]) -> list[Balance]:
        now = utc_now()
        return await self.unit.all_many(statement, [{**each, "now": now} for each in changes])
