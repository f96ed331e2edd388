"""Seals again, with the present key, what a former one has sealed: afterwards that key may go.

A column that holds sealed secrets says so: ``mapped_column(LargeBinary(128), info=sealed_for("user_id"))``, with the
column whose id is the context. What does not live longer than some minutes need not say it.
"""

from collections import Counter
from typing import Any

import structlog
from sqlalchemy import Column, select, update

from app.lib.db.base import metadata
from app.lib.db.engine import Database
from app.lib.security.sealing import CannotUnseal, Sealer

_CONTEXT = "sealed_for"
_BATCH = 100

log = structlog.get_logger(__name__)


def sealed_for(context: str) -> dict[str, Any]:
    """The ``info`` of a column whose values are sealed for the id in the column ``context``."""
    return {_CONTEXT: context}


async def reseal_all(database: Database, sealer: Sealer) -> Counter[str]:
    """Returns the number of secrets that were ``resealed``, and of those that no key opens (``unreadable``), which stay
    as they are.
    """
    counts = Counter[str]()
    for column in _sealed_columns():
        counts += await _reseal(database, sealer, column)
    return counts


async def count_unreadable(database: Database, sealer: Sealer) -> int:
    """How many secrets no key opens. Writes nothing."""
    count = 0
    for column in _sealed_columns():
        wanted = select(column.table.c[column.info[_CONTEXT]], column).where(column.is_not(None))
        async with database.independent() as unit:
            async for context, sealed in await unit.session.stream(wanted):
                try:
                    sealer.open(sealed, context.bytes)
                except CannotUnseal:
                    count += 1
    return count


def _sealed_columns() -> list[Column[Any]]:
    return [column for table in metadata.sorted_tables for column in table.columns if _CONTEXT in column.info]


async def _reseal(database: Database, sealer: Sealer, column: Column[Any]) -> Counter[str]:
    """In batches with a transaction each, by the primary key."""
    table, counts, after = column.table, Counter[str](), None
    (key,), kept = table.primary_key, {each.name: each for each in table.c if each.name == "updated_at"}
    wanted = select(key, table.c[column.info[_CONTEXT]], column).where(column.is_not(None))
    wanted = wanted.order_by(key).limit(_BATCH).with_for_update(key_share=True)
    while True:
        async with database.independent() as unit:
            batch = (await unit.session.execute(wanted if after is None else wanted.where(key > after))).all()
            for after, context, sealed in batch:
                if sealer.is_current(sealed):
                    continue
                try:
                    again = sealer.seal(sealer.open(sealed, context.bytes), context.bytes)
                except CannotUnseal:
                    counts["unreadable"] += 1
                    log.error("secret_unreadable", table=table.name, id=str(after))  # noqa: TRY400 - nothing to trace
                    continue
                await unit.session.execute(update(table).where(key == after).values({column.name: again, **kept}))
                counts["resealed"] += 1
        if len(batch) < _BATCH:
            return counts
