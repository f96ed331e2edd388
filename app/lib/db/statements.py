"""Statements that SQLAlchemy spells differently for the two databases."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import CursorResult, Insert, Table, bindparam, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.base import Base
from app.lib.db.instants import database_now


async def insert_or_ignore(session: AsyncSession, model: type[Base], row: Mapping[str, Any]) -> bool:
    """Inserts one row unless a unique constraint speaks against it; tells whether it did.

    Waits for a concurrent transaction that inserts the same key, and does not abort the caller's transaction.
    """
    build = postgresql.insert if is_postgresql(session) else sqlite.insert
    result = await session.execute(build(model).values(**row).on_conflict_do_nothing())
    return isinstance(result, CursorResult) and result.rowcount == 1


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
