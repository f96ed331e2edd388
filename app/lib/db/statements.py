"""Statements that SQLAlchemy spells differently for the two databases, and what it says less plainly than it could."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, Dialect, Result, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session

from app.lib.db.base import Base, table_of

ConflictInsert = postgresql.Insert | sqlite.Insert
"""An INSERT with ``on_conflict_do_nothing``, ``on_conflict_do_update`` and ``excluded``."""


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
