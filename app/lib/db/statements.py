"""Statements that SQLAlchemy spells differently for the two databases."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, Insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.base import Base


async def insert_or_ignore(session: AsyncSession, model: type[Base], row: Mapping[str, Any]) -> bool:
    """Inserts one row unless a unique constraint speaks against it; tells whether it did.

    Waits for a concurrent transaction that inserts the same key, and does not abort the caller's transaction.
    """
    build = postgresql.insert if is_postgresql(session) else sqlite.insert
    result = await session.execute(build(model).values(**row).on_conflict_do_nothing())
    return isinstance(result, CursorResult) and result.rowcount == 1


async def insert_together(session: AsyncSession, statements: Sequence[Insert]) -> None:
    """Runs inserts of one moment: in one round trip on PostgreSQL, one after another on SQLite, where none is far.

    They may refer to each other, in this order: foreign keys are checked when the last one is done. Give each its
    values by ``values(…)``, one row at a time, so that what is compiled is kept.
    """
    if not is_postgresql(session):
        for each in statements:
            await session.execute(each)
        return
    *others, last = statements
    # PostgreSQL runs the inserts of a WITH whether or not anything reads from them.
    await session.execute(last.add_cte(*(each.cte(f"other_{number}") for number, each in enumerate(others))))


def is_postgresql(session: AsyncSession) -> bool:
    """Whether the session talks to PostgreSQL."""
    return session.get_bind().dialect.name == "postgresql"
