"""Statements that SQLAlchemy spells differently for the two databases."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.base import Base


async def insert_or_ignore(session: AsyncSession, model: type[Base], row: Mapping[str, Any]) -> bool:
    """Inserts one row unless a unique constraint speaks against it; tells whether it did.

    Waits for a concurrent transaction that inserts the same key, and does not abort the caller's transaction.
    """
    build = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    result = await session.execute(build(model).values(**row).on_conflict_do_nothing())
    return isinstance(result, CursorResult) and result.rowcount == 1
