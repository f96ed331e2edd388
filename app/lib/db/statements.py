"""Statements that SQLAlchemy spells differently for the two databases, and what it says less plainly than it could."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    Boolean,
    ColumnElement,
    CursorResult,
    Dialect,
    Insert,
    Result,
    Table,
    Text,
    bindparam,
    insert,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app.lib.db.base import Base, table_of
from app.lib.db.instants import database_now

ConflictInsert = postgresql.Insert | sqlite.Insert
"""An INSERT with ``on_conflict_do_nothing``, ``on_conflict_do_update`` and ``excluded``."""


def insert_or_update(into: type[Base] | Table) -> postgresql.Insert:
    """An INSERT that can say what happens on a conflict: its syntax is the same in both databases, and SQLAlchemy's
    class for PostgreSQL compiles for SQLite, too.
    """
    return postgresql.insert(into)


def insert_by(dialect: Dialect, into: type[Base] | Table) -> ConflictInsert:
    """An INSERT that can say what happens on a conflict, in the words of this dialect."""
    return postgresql.insert(into) if dialect.name == "postgresql" else sqlite.insert(into)


def insert_into(session: AsyncSession | async_scoped_session[AsyncSession], into: type[Base] | Table) -> ConflictInsert:
    """The same for the database of this session."""
    return insert_by(session.get_bind().dialect, into)


def affected(result: Result[Any]) -> int:
    """How many rows an INSERT, UPDATE or DELETE touched.

    Only for one without RETURNING, executed for one set of parameters: of others the drivers tell nothing of use.
    """
    return result.rowcount if isinstance(result, CursorResult) else 0


async def insert_or_ignore(
    session: AsyncSession | async_scoped_session[AsyncSession], model: type[Base], row: Mapping[str, Any]
) -> bool:
    """Inserts one row unless a unique constraint speaks against it; tells whether it did.

    Waits for a concurrent transaction that inserts the same key, and does not abort the caller's transaction.
    """
    return affected(await session.execute(insert_into(session, model).values(**row).on_conflict_do_nothing())) == 1


async def add_up(
    session: AsyncSession | async_scoped_session[AsyncSession],
    model: type[Base],
    column: str,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Inserts rows, one after another; where a row of the same key is, adds to its ``column`` instead.

    Each row stays locked until the transaction ends, so callers that write several need an order of them.
    """
    if not rows:
        return
    table = table_of(model)
    statement = insert_into(session, table)
    total = {column: table.c[column] + statement.excluded[column]}
    upsert = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=total)
    await session.execute(upsert, [dict(row) for row in rows])


class NewRow:
    """A row to be inserted: ``values``, and in the columns ``now`` the database's clock."""

    __slots__ = ("now", "table", "values")

    def __init__(self, table: Table, values: Mapping[str, Any], *, now: tuple[str, ...] = ()) -> None:
        self.table = table
        self.values = values
        self.now = now


async def insert_together(session: AsyncSession, rows: Sequence[NewRow]) -> None:
    """Inserts rows of one moment: in one round trip on PostgreSQL, one after another on SQLite, where none is far.

    They may refer to each other, in this order: foreign keys are checked when the last one is there. The statement is
    made once for each succession of tables and columns, so there should be few of those.
    """
    shapes = [(row.table, tuple(row.values), row.now) for row in rows]
    if is_postgresql(session):
        parameters = {f"{n}_{name}": value for n, row in enumerate(rows) for name, value in row.values.items()}
        await session.execute(_insert_of(tuple(shapes)), parameters)
        return
    for shape, row in zip(shapes, rows, strict=True):
        await session.execute(_insert_of((shape,)), {f"0_{name}": value for name, value in row.values.items()})


_Shape = tuple[Table, tuple[str, ...], tuple[str, ...]]


@cache
def _insert_of(shapes: tuple[_Shape, ...]) -> Insert:
    """PostgreSQL runs the inserts of a WITH, whether or not anything reads from them."""
    inserts = [
        insert(table).values(
            {name: bindparam(f"{number}_{name}", type_=table.c[name].type) for name in names}
            | {name: database_now() for name in now}
        )
        for number, (table, names, now) in enumerate(shapes)
    ]
    return inserts[-1].add_cte(*(each.cte(f"other_{number}") for number, each in enumerate(inserts[:-1])))


def is_postgresql(session: AsyncSession) -> bool:
    """Whether the session talks to PostgreSQL."""
    return session.get_bind().dialect.name == "postgresql"


class is_one_of(FunctionElement[bool]):  # noqa: N801 - reads like the SQL operator that it is
    """That a column of texts has one of the values of a :func:`json_list`, which the named parameter brings.

    One parameter however long the list is, so that the statement can be prepared once.
    """

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], parameter: str) -> None:
        super().__init__(column, bindparam(parameter, type_=Text()))


def json_list(values: Iterable[str]) -> str:
    """The parameter of :class:`is_one_of`."""
    return msgspec.json.encode(list(values)).decode()


@compiles(is_one_of, "postgresql")
def _one_of_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    column, names = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT json_array_elements_text(CAST({names} AS JSON)))"


@compiles(is_one_of, "sqlite")
def _one_of_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    column, names = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({names}))"  # noqa: S608 - both parts come from the compiler
