"""Statements that SQLAlchemy spells differently for the two databases."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session

from app.lib.db.base import Base, table_of


async def insert_or_ignore(session: AsyncSession, model: type[Base], row: Mapping[str, Any]) -> bool:
    """Inserts one row unless a unique constraint speaks against it; tells whether it did.

    Waits for a concurrent transaction that inserts the same key, and does not abort the caller's transaction.
    """
    build = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    result = await session.execute(build(model).values(**row).on_conflict_do_nothing())
    return isinstance(result, CursorResult) and result.rowcount == 1


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
    build = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = build(table)
    total = {column: table.c[column] + statement.excluded[column]}
    upsert = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=total)
    await session.execute(upsert, [dict(row) for row in rows])
