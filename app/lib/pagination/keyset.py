"""ORDER BY and the predicate that finds what comes after a row, without counting the rows before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_, tuple_

from app.lib.pagination.sorting import SortKey


@dataclass(frozen=True, slots=True)
class OrderedKey:
    """A sort key in one direction, and the name of the bind parameter for the last row's value."""

    key: SortKey
    descending: bool
    bind_name: str

    def order_by(self) -> ColumnElement[Any]:
        """The key's part of ORDER BY."""
        return self.key.expression.desc() if self.descending else self.key.expression.asc()

    def last(self) -> BindParameter[Any]:
        """The last row's value."""
        return bindparam(self.bind_name, type_=self.key.expression.type)

    def beyond(self) -> ColumnElement[bool]:
        """Strictly after the last row in this key alone."""
        return self.key.expression < self.last() if self.descending else self.key.expression > self.last()

    def not_before(self) -> ColumnElement[bool]:
        """Level with the last row or after it in this key alone."""
        return self.key.expression <= self.last() if self.descending else self.key.expression >= self.last()


def after(keys: Sequence[OrderedKey]) -> ColumnElement[bool]:
    """The rows after the one whose key values are bound. The keys together must be unique."""
    if len({key.descending for key in keys}) == 1:
        return _row_value_comparison(keys)
    return _expanded_comparison(keys)


def _row_value_comparison(keys: Sequence[OrderedKey]) -> ColumnElement[bool]:
    """``(a, id) < (:a, :id)``: both databases walk an index on (a, id) with it, in either direction."""
    if len(keys) == 1:
        return keys[0].beyond()
    row = tuple_(*[key.key.expression for key in keys])
    last = tuple_(*[key.last() for key in keys])
    beyond = row < last if keys[0].descending else row > last
    # The first term is where the walk begins: SQLite seeks row values in indexes on columns only, and PostgreSQL begins
    # at another bound on the column (what is public by now) when that is a single value and the row value is not.
    return and_(keys[0].not_before(), beyond)


def _expanded_comparison(keys: Sequence[OrderedKey]) -> ColumnElement[bool]:
    """``a <= :a AND (a < :a OR (a = :a AND id > :id))``; the first term is there for the index on ``a``."""
    clause = keys[-1].beyond()
    for key in reversed(keys[:-1]):
        clause = or_(key.beyond(), and_(key.key.expression == key.last(), clause))
    return and_(keys[0].not_before(), clause)
