"""A list's statements: built once per shape, run with other values each time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Label,
    Select,
    SQLColumnExpression,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from app.lib.db.prepared import Prepared, prepare
from app.lib.pagination.envelope import MAX_COUNTED_ROWS, Page, item_type
from app.lib.pagination.filters import BoundFilters, Filter
from app.lib.pagination.sorting import Sort, SortKey, parse_sort, sort_parameter

P = TypeVar("P", bound=Page[Any])
Widths = tuple[tuple[str, int], ...]

_SHAPES_KEPT = 256
"""Prepared statements per list. Callers choose the shapes, so there has to be a bound."""
_ID = "id"


@dataclass(frozen=True, slots=True)
class Shape:
    """All that makes one statement of a list differ from another, and no values."""

    order: tuple[Sort, ...]
    filters: Widths
    after_cursor: bool


@dataclass(frozen=True, slots=True)
class OrderedKey:
    """A sort key in one direction, and the name of the bind parameter for the last row's value."""

    key: SortKey
    descending: bool
    bind_name: str

    @property
    def order_by(self) -> ColumnElement[Any]:
        return self.key.expression.desc() if self.descending else self.key.expression.asc()

    @property
    def last(self) -> BindParameter[Any]:
        return bindparam(self.bind_name, type_=self.key.expression.type)

    @property
    def beyond(self) -> ColumnElement[bool]:
        """Strictly after the last row in this key alone."""
        return self.key.expression < self.last if self.descending else self.key.expression > self.last

    def not_before(self, edge: ColumnElement[Any]) -> ColumnElement[bool]:
        """Level with a value or after it in this key alone."""
        return self.key.expression <= edge if self.descending else self.key.expression >= edge

    def not_beyond(self, edge: ColumnElement[Any]) -> ColumnElement[bool]:
        """Level with a value or before it in this key alone."""
        return self.key.expression >= edge if self.descending else self.key.expression <= edge


def rows_after(keys: Sequence[OrderedKey]) -> ColumnElement[bool]:
    """The rows after the one whose key values are bound. The keys together must be unique."""
    if len(keys) == 1:
        return keys[0].beyond
    if len({key.descending for key in keys}) == 1:  # (a, id) < (:a, :id): both databases walk an index on (a, id)
        row, last = tuple_(*[key.key.expression for key in keys]), tuple_(*[key.last for key in keys])
        beyond: ColumnElement[bool] = row < last if keys[0].descending else row > last
    else:  # a < :a OR (a = :a AND id > :id)
        beyond = keys[-1].beyond
        for key in reversed(keys[:-1]):
            beyond = or_(key.beyond, and_(key.key.expression == key.last, beyond))
    # The first term is where the walk begins: SQLite seeks row values in indexes on columns only, and PostgreSQL begins
    # at another bound on the column (what is public by now) when that is a single value and the row value is not.
    return and_(keys[0].not_before(keys[0].last), beyond)


@dataclass(frozen=True, slots=True)
class Window:
    """How far a list looks: at the first ``size`` rows from the cursor on in the list's own order, or in the order
    ``along`` in any case. Of its filters only those in ``filters`` say which rows these are (they should
    be such as an index serves together with the order); the others choose among them.

    It bounds what a page costs where hardly a row passes the other filters. Rows that tie with the last one count, too.
    A cursor holds where the window ``along`` another order ended on the first page: what comes later moves no row out
    of a walk that has begun.
    """

    size: int
    filters: frozenset[str] = frozenset()
    along: str | None = None


class ListQuery(Generic[P]):
    """What a repository declares once for a list.

    ``resource`` names the list in its cursors, so no two lists may share one. ``page_type`` is a subclass of
    ``Page``, and rows are read into its item type. ``rows`` selects that Struct's fields, named and in order, with
    the list's fixed conditions but without order, limit, DISTINCT or grouping. ``identity`` is the unique
    column that settles ties. ``window`` bounds what a page looks at, and ``counted_by`` is the same list without it.
    A list that ``is_feed`` grows at its end only: its last page has a ``next_cursor``, too, for what comes later.

    Raises ``TypeError`` or ``ValidationFailed`` at once for what does not fit together.
    """

    def __init__(
        self,
        resource: str,
        page_type: type[P],
        rows: Select[Any],
        *,
        identity: SQLColumnExpression[Any],
        sorts: Iterable[SortKey],
        default_sort: str,
        filters: Iterable[Filter] = (),
        window: Window | None = None,
        counted_by: "ListQuery[P] | None" = None,
        is_feed: bool = False,
    ) -> None:
        self.resource = resource
        self.page_type = page_type
        self.is_feed = is_feed
        self._rows = rows
        self._row_type: type[msgspec.Struct] = item_type(page_type)
        self._identity = SortKey(_ID, identity)
        self._sorts = {key.name: key for key in sorts}
        self._filters = {each.name: each for each in filters}
        self._default_sort = default_sort
        self._window = window
        self._along = self._ordered_keys(self.order(window.along)) if window is not None and window.along else None
        self.statement = lru_cache(_SHAPES_KEPT)(self._make_statement)
        counted = counted_by or self
        self.count = lru_cache(_SHAPES_KEPT)(lambda filters: prepare(counted.build_count(filters), int))
        self.statement(Shape(self.order(None), (), after_cursor=False))

    def order(self, sort: str | None) -> tuple[Sort, ...]:
        """The whole order for a caller's ``sort``; the id comes last, in the direction of the key before it.

        Raises ``ValidationFailed``.
        """
        order = parse_sort(sort, self._sorts, self._default_sort)
        if any(each.key == _ID for each in order):
            return order
        return (*order, Sort(_ID, order[-1].descending))

    def sort_parameter(self) -> QueryParameter:
        """The ``sort`` parameter of the list's route: ``sort: Annotated[str | None, LIST.sort_parameter()] = None``."""
        return sort_parameter(self._sorts, self._default_sort)

    def bind(self, wanted: Mapping[str, Any]) -> BoundFilters:
        """The filters that are there. Raises ``ValidationFailed``; ``KeyError`` for one that is not declared."""
        return BoundFilters(self._filters, wanted)

    def key_types(self, order: Sequence[Sort]) -> tuple[Any, ...]:
        types = tuple(self._key(each).python_type for each in order)
        return types if self._along is None else (*types, self._along[0].key.python_type)

    def build(self, shape: Shape) -> Select[Any]:
        """The select of one page: one row more than ``page_size``, which tells whether there is a next page.

        Bind parameters: ``limit``, then ``offset`` or the last row's ``key_0`` …, and those of the filters.
        """
        keys = self._ordered_keys(shape.order)
        statement = self._filtered(shape.filters, self._edge_along(shape)).order_by(*[key.order_by for key in keys])
        if self._window is not None and self._along is None:
            edge = self._edge(self._window, shape.filters, keys, after_cursor=shape.after_cursor)
            statement = statement.where(keys[0].not_beyond(edge))
        statement = statement.limit(bindparam("limit", type_=Integer()))
        return (
            statement.where(rows_after(keys))
            if shape.after_cursor
            else statement.offset(bindparam("offset", type_=Integer()))
        )

    def build_count(self, filters: Widths) -> Select[Any]:
        """``SELECT count(*)`` over at most 10 001 rows; the last of them says that there are more."""
        one: ColumnElement[int] = literal_column("1")
        edge = self._edge_along(Shape((), filters, after_cursor=False))
        bounded: Select[Any] = self._filtered(filters, edge).with_only_columns(one, maintain_column_froms=True)
        limited = bounded.limit(literal_column(str(MAX_COUNTED_ROWS + 1))).subquery()
        return select(func.count().label("total")).select_from(limited)

    def _filtered(self, filters: Widths, edge: ColumnElement[Any] | None) -> Select[Any]:
        rows = self._rows.where(*[self._filters[name].where(width) for name, width in filters])
        return rows if self._along is None or edge is None else rows.where(self._along[0].not_beyond(edge))

    def _edge_along(self, shape: Shape) -> ColumnElement[Any] | None:
        """Where the window along another order ends; a walk goes on with what it was when that began."""
        if self._window is None or self._along is None:
            return None
        if shape.after_cursor:
            return bindparam(f"key_{len(shape.order)}", type_=self._along[0].key.expression.type)
        return self._edge(self._window, shape.filters, self._along, after_cursor=False)

    def _edge(
        self, window: Window, filters: Widths, keys: Sequence[OrderedKey], *, after_cursor: bool
    ) -> ColumnElement[Any]:
        """The first of the keys in the last row of the window."""
        first = keys[0]
        seen: Select[Any] = self._rows.with_only_columns(first.key.expression.label("edge"), maintain_column_froms=True)
        seen = seen.where(*[self._filters[name].where(width) for name, width in filters if name in window.filters])
        if after_cursor:
            seen = seen.where(rows_after(keys))
        rows = seen.order_by(*[key.order_by for key in keys]).limit(literal_column(str(window.size))).subquery()
        last = func.min(rows.c.edge) if first.descending else func.max(rows.c.edge)
        return select(last).scalar_subquery()

    def _ordered_keys(self, order: Sequence[Sort]) -> list[OrderedKey]:
        return [OrderedKey(self._key(each), each.descending, f"key_{i}") for i, each in enumerate(order)]

    def _key(self, sort: Sort) -> SortKey:
        return self._sorts.get(sort.key) or self._identity

    def _make_statement(self, shape: Shape) -> "ListStatement":
        keys = [self._key(each) for each in shape.order]
        if self._along is not None and (edge := self._edge_along(shape)) is not None:
            keys.append(SortKey("edge", edge, self._along[0].key.python_type))
        return ListStatement(self.build(shape), self._row_type, keys)


class ListStatement:
    """A prepared page select whose rows also tell where the next page begins.

    Keys that the rows do not show (a normalised or coalesced column) are selected after them and taken off again.
    """

    __slots__ = ("_hides_keys", "_key_fields", "_row_type", "prepared")

    def __init__(self, statement: Select[Any], row_type: type[msgspec.Struct], keys: Sequence[SortKey]) -> None:
        selected = [
            (each.key, each.element if isinstance(each, Label) else each) for each in statement.selected_columns
        ]
        shown = [next((name for name, each in selected if key.expression.compare(each)), None) for key in keys]
        self._row_type = row_type
        self._key_fields = [name or f"sort_key_{i}" for i, name in enumerate(shown)]
        extra = {self._key_fields[i]: key.expression for i, key in enumerate(keys) if shown[i] is None}
        self._hides_keys = bool(extra)
        if extra:
            statement = statement.add_columns(*[expression.label(name) for name, expression in extra.items()])
            row_type = msgspec.defstruct(f"{row_type.__name__}AndKeys", [*row_type.__struct_fields__, *extra])
        self.prepared: Prepared[Any] = prepare(statement, row_type)

    def items(self, fetched: Sequence[Any]) -> list[Any]:
        if not self._hides_keys:
            return list(fetched)
        width = len(self._row_type.__struct_fields__)
        return [self._row_type(*msgspec.structs.astuple(row)[:width]) for row in fetched]

    def key_values(self, row: Any) -> list[Any]:
        """What a cursor that goes on after this fetched row holds."""
        return [getattr(row, name) for name in self._key_fields]
