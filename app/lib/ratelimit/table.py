"""Counters in a table of the service's own database, for several processes without Redis."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

from limits.aio.storage import Storage
from sqlalchemy import (
    BigInteger,
    Column,
    CursorResult,
    Executable,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    case,
    delete,
    select,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.lib.db.statements import insert_by

_PURGE_SECONDS = 60
_PURGE_ROWS = 1000
_PARTS = 4


def rate_limit_table(metadata: MetaData) -> Table:
    """Define the table ``rate_limits``; ``expires_at`` is in milliseconds since the epoch."""
    return Table(
        "rate_limits",
        metadata,
        Column("key", String(200), primary_key=True),
        Column("hits", Integer, nullable=False),
        Column("expires_at", BigInteger, nullable=False, index=True),
    )


class CounterTable(Protocol):
    """What :class:`TableCounters` needs of a database."""

    async def incr(self, key: str, expiry_seconds: float, amount: int) -> int:
        """Add to a counter, atomically, and return it; a missing or expired one starts at 0 and never ends below."""
        ...

    async def get(self, key: str) -> tuple[int, float]:
        """Hits and end (seconds since the epoch) of a live counter; 0 and now when there is none."""
        ...

    async def clear(self, key: str | None) -> int:
        """Delete one counter, or all of them; returns how many there were."""
        ...

    async def purge(self) -> int:
        """Delete some expired counters and return how many."""
        ...


class TableCounters(Storage):
    """Fixed-window counters in a :class:`CounterTable`.

    Each count commits by itself, on a connection of its own. So never count while the caller holds a transaction
    on the same engine: where that engine has one connection (SQLite's writer) the two would wait for each other.
    """

    STORAGE_SCHEME = None

    def __init__(self, table: CounterTable) -> None:
        super().__init__()
        self._table = table

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """What an outage of the database looks like."""
        return (SQLAlchemyError,)

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count ``amount`` (negative gives back, never below 0) and return the sum; ``expiry`` is in seconds."""
        return await self._table.incr(key, expiry, amount)

    async def get(self, key: str) -> int:
        """The hits counted so far, 0 for a key without a live window."""
        return (await self._table.get(key))[0]

    async def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since the epoch; now for a key without a live window."""
        return (await self._table.get(key))[1]

    async def check(self) -> bool:
        """Whether the table answers."""
        try:
            await self._table.get("")
        except (SQLAlchemyError, OSError, TimeoutError):
            return False
        return True

    async def reset(self) -> int | None:
        """Forget everything; the number of keys forgotten."""
        return await self._table.clear(None)

    async def clear(self, key: str) -> None:
        """Forget one key."""
        await self._table.clear(key)


class EngineCounterTable:
    """A :class:`CounterTable` on PostgreSQL or SQLite: one statement, one short transaction a call.

    Expired rows go with a call of :meth:`incr` once a minute; :meth:`purge` does the same on demand. A call that
    takes PostgreSQL longer than ``timeout_seconds`` raises ``TimeoutError``: a limit that waits is worse than one that
    fails.
    """

    def __init__(self, engine: AsyncEngine, table: Table, *, timeout_seconds: float = 1.0) -> None:
        self._is_postgresql = engine.dialect.name == "postgresql"
        # On PostgreSQL a lone statement commits by itself, which saves two round trips. Not so on SQLite:
        # SQLAlchemy's AUTOCOMMIT would leave the driver's connection in another transaction mode than it found.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT") if self._is_postgresql else engine
        self._table = table
        self._timeout_seconds = timeout_seconds if self._is_postgresql else None
        self._increment = self._increment_statement()
        self._next_purge = time.monotonic() + _PURGE_SECONDS
        self._given_up: set[asyncio.Task[CursorResult[Any]]] = set()

    async def incr(self, key: str, expiry_seconds: float, amount: int) -> int:
        """See :meth:`CounterTable.incr`."""
        now = time.time()
        result = await self._run(
            self._increment,
            {
                "counter": key,
                "initial": max(0, amount),
                "amount": amount,
                "ends": int((now + expiry_seconds) * 1000),
                "now": int(now * 1000),
            },
        )
        hits: int = result.scalar_one()
        if time.monotonic() >= self._next_purge:
            self._next_purge = time.monotonic() + _PURGE_SECONDS
            await self.purge()
        return hits

    async def get(self, key: str) -> tuple[int, float]:
        """See :meth:`CounterTable.get`."""
        now = time.time()
        columns = self._table.c
        live = (columns.key == key) & (columns.expires_at > int(now * 1000))
        row = (await self._run(select(columns.hits, columns.expires_at).where(live))).one_or_none()
        return (row.hits, row.expires_at / 1000) if row else (0, now)

    async def clear(self, key: str | None) -> int:
        """See :meth:`CounterTable.clear`."""
        statement = delete(self._table)
        if key is not None:
            statement = statement.where(self._table.c.key == key)
        return (await self._run(statement)).rowcount

    async def purge(self) -> int:
        """Delete at most a thousand expired counters and return how many; safe to run from many processes."""
        key = self._table.c.key
        # Skipping what others hold keeps two purges, or a purge and a count, from waiting for each other.
        old = select(key).where(self._table.c.expires_at <= int(time.time() * 1000)).limit(_PURGE_ROWS)
        # As a subquery PostgreSQL may run it for every row, and then there is no limit.
        expired = old.with_for_update(skip_locked=True).cte("expired")
        return (await self._run(delete(self._table).where(key.in_(select(expired.c.key))))).rowcount

    async def _run(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> CursorResult[Any]:
        """In a task of its own, because giving up a connection that does not answer takes seconds, too."""
        task = asyncio.create_task(self._execute(statement, parameters))
        try:
            await self._wait_for(task)
        except asyncio.CancelledError:
            self._give_up(task)
            raise
        if not task.done():
            self._give_up(task)
            raise TimeoutError
        return task.result()

    async def _wait_for(self, task: "asyncio.Task[CursorResult[Any]]") -> None:
        """In parts, so that one moment in which this process stands still is not taken for a database that does."""
        seconds = None if self._timeout_seconds is None else self._timeout_seconds / _PARTS
        for _ in range(_PARTS):
            done, _pending = await asyncio.wait({task}, timeout=seconds)
            if done:
                return

    async def _execute(self, statement: Executable, parameters: Mapping[str, Any] | None) -> CursorResult[Any]:
        async with self._engine.begin() as connection:
            return await connection.execute(statement, parameters)

    def _give_up(self, task: "asyncio.Task[CursorResult[Any]]") -> None:
        task.cancel()
        self._given_up.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[CursorResult[Any]]") -> None:
        self._given_up.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain; whoever waited got a TimeoutError

    def _increment_statement(self) -> Executable:
        hits, expires_at = self._table.c.hits, self._table.c.expires_at
        initial, ends = bindparam("initial", type_=Integer), bindparam("ends", type_=BigInteger)
        is_over = expires_at <= bindparam("now", type_=BigInteger)
        total = hits + bindparam("amount", type_=Integer)
        return (
            insert_by(self._engine.dialect, self._table)
            .values(key=bindparam("counter", type_=String), hits=initial, expires_at=ends)
            .on_conflict_do_update(
                index_elements=[self._table.c.key],
                set_={
                    "hits": case((is_over, initial), (total < 0, 0), else_=total),
                    "expires_at": case((is_over, ends), else_=expires_at),
                },
            )
            .returning(hits)
        )
