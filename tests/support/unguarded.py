"""Writing to the audit log as its owner can, who switches the triggers off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@asynccontextmanager
async def without_triggers(connection: AsyncConnection) -> AsyncIterator[None]:
    """For the rest of the transaction on PostgreSQL, and inside the block on SQLite."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SET LOCAL session_replication_role = 'replica'"))
        yield
        return
    triggers = (
        await connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit%'")
        )
    ).all()
    for name, _ in triggers:
        await connection.execute(text(f"DROP TRIGGER {name}"))
    yield
    for _, sql in triggers:
        await connection.exec_driver_sql(sql)
