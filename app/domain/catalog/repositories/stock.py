from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Insert,
    Table,
    Update,
    Uuid,
    and_,
    bindparam,
    case,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from app.domain.catalog.models import Product, StockMovement
from app.domain.catalog.rows import Offer
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.prepared import columns_of
from app.lib.db.statements import NewRow, affected, is_postgresql

_products, _movements = table_of(Product), table_of(StockMovement)
_TERMS = ("price_units", "currency", "name", "sku")
"""What must be as it was offered, beside that there is enough of it."""


class StockRepository:
    """Stock is changed by conditional updates alone, never by what was read before."""

    def __init__(self, session: Any) -> None:
        self._session = session

    async def offers(self, product_ids: Iterable[UUID]) -> dict[UUID, Offer]:
        """Those that there are, also inactive ones."""
        found = await self._session.execute(select(*columns_of(Offer, Product)).where(Product.id.in_(set(product_ids))))
        return {row.id: Offer(*row) for row in found}

    async def take(self, lines: Sequence[tuple[Offer, int]], order_id: UUID, beside: Sequence[NewRow]) -> bool:
        """Takes so many pieces of each on exactly the terms of the offer, and notes them in the ledger. ``beside`` has
        for each of them a row that refers to the product, all of one table: it is inserted once the product is ours.

        False when there are not enough of one, or other terms now: then the caller has to go back, because some may
        have been taken.
        """
        deltas = {offer.id: -quantity for offer, quantity in lines}
        terms = {f"{n}_{name}": getattr(offer, name) for n, (offer, _) in enumerate(lines) for name in _TERMS}
        return await self._move(deltas, "order", None, order_id, terms, beside) == len(lines)

    async def give_back(self, quantities: Mapping[UUID, int], order_id: UUID, reason: str) -> None:
        """Puts pieces of an order back, and notes them in the ledger."""
        await self._move(quantities, "return", reason, order_id, {}, ())

    async def _move(
        self,
        deltas: Mapping[UUID, int],
        kind: str,
        reason: str | None,
        order_id: UUID,
        terms: Mapping[str, Any],
        beside: Sequence[NewRow],
    ) -> int:
        """How many products were changed. Those of which there are several are locked in the order of their ids."""
        values = {**terms, **{f"{n}_id": product_id for n, product_id in enumerate(deltas)}}
        values |= {f"{n}_delta": delta for n, delta in enumerate(deltas.values())}
        columns = {"kind": kind, "reason": reason, "order_id": order_id, "created_at": utc_now()}
        if is_postgresql(self._session):
            statement = _moves_with_ledger(len(deltas), on_terms=bool(terms), beside=_shape(beside))
            lines = {f"{n}_line": new_id() for n in range(len(deltas))}
            all_lines = {f"line_{name}": value for name, value in columns.items()}
            rows_beside = {
                f"{n}_beside_{name}": each.values[name] for n, each in enumerate(beside) for name in each.values
            }
            found = await self._session.execute(statement, {**values, **lines, **all_lines, **rows_beside})
            return affected(found)
        found = await self._session.execute(_moves(len(deltas), on_terms=bool(terms)), values)
        balances = found.all()
        if balances:
            rows = [{"id": new_id(), **columns, "product_id": i, "delta": deltas[i], "balance": b} for i, b in balances]
            await self._session.execute(insert(StockMovement), rows)
            moved = {product_id for product_id, _ in balances}
            if taken := [each.values for product_id, each in zip(deltas, beside, strict=False) if product_id in moved]:
                await self._session.execute(insert(beside[0].table), taken)
        return len(balances)

    async def add(self, product_id: UUID, delta: int, *, at_most: int | None = None) -> int | None:
        """The stock after the change; None when it would be negative or too large, or there is no such product."""
        fits = Product.stock + delta >= 0
        if at_most is not None:
            fits = and_(fits, Product.stock + delta <= at_most)
        return await self._add(and_(Product.id == product_id, fits), delta)

    async def _add(self, condition: Any, delta: int) -> int | None:
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


@cache
def _moves(count: int, *, on_terms: bool) -> Update:
    """Changes the stock of so many products; returns the id and the stock of each that was changed.

    Its parameters are numbered: ``0_id``, ``0_delta`` and, on terms, ``0_price_units`` and so on.
    """
    ids = [_number(n, "id", Uuid()) for n in range(count)]
    locked = _products.alias("locked")
    in_order = select(locked.c.id).where(locked.c.id.in_(ids)).order_by(locked.c.id).with_for_update(key_share=True)
    statement = update(_products).where(_products.c.id == ids[0] if count == 1 else _products.c.id.in_(in_order))
    if on_terms:
        statement = statement.where(or_(*[_terms(n) for n in range(count)]))
    stock = _products.c.stock + _by_product(_products.c.id, count, "delta", BigInteger())
    return statement.values(stock=stock, version=_products.c.version + 1).returning(_products.c.id, _products.c.stock)


def _terms(n: int) -> ColumnElement[bool]:
    return and_(
        _products.c.id == _number(n, "id", Uuid()),
        _products.c.stock + _number(n, "delta", BigInteger()) >= 0,
        _products.c.is_active,
        *[_products.c[name] == _number(n, name, _products.c[name].type) for name in _TERMS],
    )


_Shape = tuple[Table, tuple[str, ...]]


def _shape(rows: Sequence[NewRow]) -> _Shape | None:
    """What all of the rows have in common."""
    return (rows[0].table, tuple(rows[0].values)) if rows else None


@cache
def _moves_with_ledger(count: int, *, on_terms: bool, beside: _Shape | None) -> Insert:
    """The ledger's lines of moves in the same statement, and rows beside them, so that products are locked for one
    round trip less. Further parameters: ``0_line`` for the id of a line, ``line_kind`` and so on for all of them, and
    ``0_beside_sku`` and so on. None may have the name of a column: SQLAlchemy would write it into the products, too.
    """
    moved = _moves(count, on_terms=on_terms).cte("moved")
    same = ("kind", "reason", "order_id", "created_at")
    values: dict[str, ColumnElement[Any]] = {
        **{name: bindparam(f"line_{name}", type_=_movements.c[name].type) for name in same},
        "id": _by_product(moved.c.id, count, "line", Uuid()),
        "product_id": moved.c.id,
        "delta": _by_product(moved.c.id, count, "delta", BigInteger()),
        "balance": moved.c.stock,
    }
    statement = insert(_movements).from_select(list(values), select(*values.values()))
    if beside is None:
        return statement
    table, names = beside
    rows = select(*[_by_product(moved.c.id, count, f"beside_{name}", table.c[name].type) for name in names])
    return statement.add_cte(insert(table).from_select(list(names), rows.select_from(moved)).cte("beside"))


def _by_product(product_id: ColumnElement[UUID], count: int, name: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """What this parameter says for the product."""
    if count == 1:
        return _number(0, name, kind)
    return case(*[(product_id == _number(n, "id", Uuid()), _number(n, name, kind)) for n in range(count)])


def _number(n: int, name: str, kind: TypeEngine[Any]) -> BindParameter[Any]:
    return bindparam(f"{n}_{name}", type_=kind)
