"""Statements that are compiled once per dialect and run many times with other values."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any, Generic, TypeVar, overload

import msgspec
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Dialect,
    Float,
    Select,
    SQLColumnExpression,
    TextClause,
    UpdateBase,
    bindparam,
    func,
    select,
    type_coerce,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import ExpandedState
from sqlalchemy.types import TypeEngine

from app.lib.db.base import Base, SplitText
from app.lib.errors import AppError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Statement = Select[Any] | UpdateBase | TextClause

JSON_CODECS: dict[str, Callable[[Any], Any]] = {
    "json_serializer": lambda value: msgspec.json.encode(value).decode(),
    "json_deserializer": msgspec.json.decode,
}
"""How the dialects of engines and readers write and read JSON: the same, because they share compiled statements."""

_Processor = Callable[[Any], Any]


def pad_to_power_of_two(values: Sequence[T]) -> list[T]:
    """The values, the last one repeated until their number is a power of two: a statement for each length of a list is
    prepared, so there should be few. There has to be a value.
    """
    width = 1 << (len(values) - 1).bit_length()
    return [*values, *[values[-1]] * (width - len(values))]


def tables_written_by(statement: ClauseElement) -> frozenset[str]:
    """The names of the tables that it inserts into, updates or deletes from."""
    return _tables_written_in(visitors.iterate(statement))


def _tables_written_in(parts: Iterable[Any]) -> frozenset[str]:
    tables: list[Any] = [each.table for each in parts if isinstance(each, UpdateBase)]
    return frozenset(each.name for each in tables)


class Prepared(Generic[T_co]):
    """A Core statement and the Struct (or scalar type) that each of its rows becomes; ``None`` for one without rows.

    A select, or an insert, update or delete with or without ``RETURNING``. The columns of its rows must be named and
    ordered like the Struct's fields, so a row is ``Struct(*row)``.
    Values come in by name through ``bindparam``; a bind parameter with a value of its own is optional. A list (for
    ``IN``) is part of the statement, because its length is part of the SQL. ``insert(table)`` without ``values`` takes
    every column of the table by its name. Python-side defaults of columns are not applied: name these columns.
    Build it once, at module level or in a cached function: compiling costs what many queries cost.
    """

    __slots__ = ("_compiled", "columns", "row_type", "statement", "writes")

    def __init__(self, statement: Statement, row_type: type[T_co] | None) -> None:
        self.columns: list[ColumnElement[Any]] = []
        if row_type is not None:
            self.columns = _columns_for(statement, row_type)
        parts = list(visitors.iterate(statement))  # once: this is a good part of what it takes to start a process
        if lists := [
            each.key for each in parts if isinstance(each, BindParameter) and each.expanding and each.required
        ]:
            raise TypeError(f"the length of {lists} must be known: write the list itself into the statement")
        self.statement = statement
        self.row_type = row_type
        self.writes = _tables_written_in(parts)
        self._compiled: dict[type[Dialect], Compiled[T_co]] = {}

    def compiled(self, dialect: Dialect) -> "Compiled[T_co]":
        """The statement in the words of one dialect; made at the first call."""
        found = self._compiled.get(type(dialect))
        if found is None:
            found = self._compiled[type(dialect)] = Compiled(self, dialect)
        return found


@overload
def prepare(statement: Statement, row_type: type[T]) -> Prepared[T]: ...
@overload
def prepare(statement: Statement) -> Prepared[None]: ...
def prepare(statement: Statement, row_type: type[Any] | None = None) -> Prepared[Any]:
    """Shorthand for :class:`Prepared`. Raises ``TypeError`` when columns and fields do not match."""
    return Prepared(statement, row_type)


def _columns_for(statement: Statement, row_type: type[Any]) -> list[ColumnElement[Any]]:
    columns = [] if isinstance(statement, TextClause) else list(statement.exported_columns)
    if issubclass(row_type, msgspec.Struct):
        names = tuple(column.key for column in columns)
        if names != row_type.__struct_fields__:
            raise TypeError(f"columns {names} do not match {row_type.__name__} {row_type.__struct_fields__}")
    elif len(columns) != 1:
        raise TypeError(f"{row_type.__name__} takes one column, and not {len(columns)}")
    return columns


class Runner(ABC):
    """What prepared statements run on, with and without a transaction."""

    @abstractmethod
    async def all(self, prepared: Prepared[T], /, **values: Any) -> list[T]:
        """Every row of a select, or of what a statement with ``RETURNING`` wrote."""

    async def first(self, prepared: Prepared[T], /, **values: Any) -> T | None:
        """The first row, or None. The statement itself should say ``LIMIT 1`` where there may be more."""
        rows = await self.all(prepared, **values)
        return rows[0] if rows else None

    async def one(self, prepared: Prepared[T], missing: type[AppError], /, **values: Any) -> T:
        """The first row. Raises ``missing`` when there is none."""
        if (found := await self.first(prepared, **values)) is None:
            raise missing
        return found


class PreparedIn(Generic[T_co]):
    """A select of the rows in which a column has any of several values.

    The length of a list is part of the SQL, so a statement is prepared for each power of two. ``key`` is the field of
    the rows that has the column's value, where that has another name.
    """

    def __init__(
        self,
        statement: Select[Any],
        column: InstrumentedAttribute[Any],
        row_type: type[T_co],
        *,
        key: str | None = None,
    ) -> None:
        self.key_of = attrgetter(key or column.key)

        def prepare_width(width: int) -> Prepared[T_co]:
            binds = [bindparam(f"value_{i}", type_=column.type) for i in range(width)]
            return prepare(statement.where(column.in_(binds)), row_type)

        self._of_width = cache(prepare_width)

    def of(self, values: Iterable[Any]) -> tuple[Prepared[T_co], dict[str, Any]]:
        """The statement for these values, and its arguments. There has to be a value."""
        padded = pad_to_power_of_two(list(dict.fromkeys(values)))
        return self._of_width(len(padded)), {f"value_{i}": value for i, value in enumerate(padded)}


def columns_of(row_type: type[msgspec.Struct], model: Any, **others: SQLColumnExpression[Any]) -> list[Any]:
    """The columns that a Struct's fields name, in their order: the model's, or ``others`` where they are named."""
    return [others[n].label(n) if n in others else getattr(model, n) for n in row_type.__struct_fields__]


def joined_strings(
    model: type[Base], column: SQLColumnExpression[str], *conditions: ColumnElement[bool]
) -> ColumnElement[list[str]]:
    """A column next to a model's own: the strings of another table for which the conditions hold, as a sorted list.

    One of the conditions joins the other table to the model. No string may contain a comma.
    """
    strings = select(func.aggregate_strings(column, ",")).where(*conditions).correlate(model)
    return type_coerce(strings.scalar_subquery(), SplitText())


class Compiled(Generic[T_co]):
    """SQL text, the order of its parameters and how to convert values in both directions."""

    __slots__ = ("_binds", "_defaults", "_names", "_to_row", "sql")

    def __init__(self, prepared: Prepared[T_co], dialect: Dialect) -> None:
        compiled: Any = prepared.statement.compile(dialect=dialect)
        if unfilled := [column.key for column in _with_python_defaults(compiled)]:
            raise TypeError(f"columns {unfilled} have defaults of Python's, which are not applied: name them")
        # Writes lists out, one parameter for each member.
        state: ExpandedState = compiled.construct_expanded_state(compiled.params, escape_names=False)
        self.sql = state.statement
        self._binds: list[tuple[str, _Processor | None]] = []
        self._defaults: dict[str, Any] = {}
        for name in state.positiontup or ():
            bind: BindParameter[Any] | None = compiled.binds.get(name)
            if bind is None:  # a member of a list: its value is part of the statement
                self._binds.append((name, state.processors.get(name)))
                self._defaults[name] = state.parameters[name]
                continue
            self._binds.append((bind.key, _bind_processor(bind.type, dialect)))
            if not bind.required:
                self._defaults[bind.key] = state.parameters[name]
        self._names = frozenset(name for name, _ in self._binds)
        self._to_row = _row_maker(prepared.row_type, [column.type for column in prepared.columns], dialect)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Positional arguments. Raises ``KeyError`` for a required value that is not given, and for an unknown one."""
        if self._defaults:
            values = {**self._defaults, **values}
        arguments = [values[name] if process is None else process(values[name]) for name, process in self._binds]
        if len(values) != len(self._names):
            raise KeyError(*sorted(values.keys() - self._names))
        return arguments

    def rows(self, raw: Sequence[Any]) -> list[T_co]:
        """Driver rows as Structs or scalars."""
        return [self._to_row(row) for row in raw]


def _with_python_defaults(compiled: Any) -> list[Any]:
    if not isinstance(compiled.statement, UpdateBase):
        return []
    return [*(compiled.insert_prefetch or ()), *(compiled.update_prefetch or ())]


def _bind_processor(kind: TypeEngine[Any], dialect: Dialect) -> _Processor | None:
    if isinstance(kind, DateTimeUTC) and dialect.name == "postgresql":
        return _require_zone  # asyncpg converts an instant of any zone
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _require_zone(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise TypeError("an instant needs a time zone")
    return value


def _result_processor(kind: TypeEngine[Any], dialect: Dialect) -> _Processor | None:
    if isinstance(kind, Float) and not kind.asdecimal:
        return None  # a float already; SQLAlchemy's processor for asyncpg wants to see the server's type
    if isinstance(kind, DateTimeUTC) and dialect.name == "postgresql":
        return None  # in UTC already
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _row_maker(row_type: type[Any] | None, types: Sequence[TypeEngine[Any]], dialect: Dialect) -> Callable[[Any], Any]:
    if row_type is None:
        return lambda _row: None
    processors = [_result_processor(kind, dialect) for kind in types]
    if not issubclass(row_type, msgspec.Struct):
        first = processors[0]
        return itemgetter(0) if first is None else lambda row: first(row[0])
    if not any(processors):
        return lambda row: row_type(*row)
    needed = [(number, process) for number, process in enumerate(processors) if process is not None]

    def to_row(row: Any) -> Any:
        values = list(row)
        for number, process in needed:
            values[number] = process(values[number])
        return row_type(*values)

    return to_row
