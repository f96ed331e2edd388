"""Where hits are counted: in this process, in Redis or Valkey, or in a table of the service's own database.

All are fixed-window counters with the methods of a storage of the ``limits`` package: ``incr`` counts ``amount``
(negative gives back, never below 0) for ``expiry`` seconds and returns the sum, ``get`` is the sum, 0 for a key without
a live window, and ``clear`` forgets a key. ``base_exceptions`` are the errors of an outage.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from heapq import nsmallest
from typing import Any, TypeAlias

from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool
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

from app.lib.db.statements import insert_or_update

_FIRST_SWEEP = 1024
_PURGE_SECONDS = 60
_PURGE_ROWS = 1000
_PARTS = 4


class MemoryCounters:
    """Counters of one process and one event loop.

    Used instead of ``limits.aio.storage.MemoryStorage``, which starts a task on every hit that walks all live
    keys: 7 µs a hit with one client, 90 µs with a thousand, 900 µs with ten thousand. Here a hit never suspends,
    which makes it atomic without a lock, and expired counters go in sweeps whose cost a doubling threshold spreads.

    ``max_keys`` bounds the memory (about 250 bytes each) against floods from ever new addresses; beyond it the
    counters that end soonest make room. Give limits on credentials their own instance, so that a flood of
    cheap requests cannot push their counters out.
    """

    base_exceptions = ()

    def __init__(self, *, max_keys: int = 100_000) -> None:
        self._max_keys = max_keys
        self._windows: dict[str, list[float]] = {}  # key -> [hits, end of the window]
        self._sweep_at = min(_FIRST_SWEEP, max_keys)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        window = self._live(key)
        if window is None:
            if len(self._windows) >= self._sweep_at:
                self._sweep()
            window = self._windows[key] = [0, time.time() + expiry]
        window[0] = max(0, window[0] + amount)
        return int(window[0])

    async def get(self, key: str) -> int:
        window = self._live(key)
        return int(window[0]) if window else 0

    async def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def __len__(self) -> int:
        return len(self._windows)

    def _live(self, key: str) -> list[float] | None:
        window = self._windows.get(key)
        if window is not None and window[1] <= time.time():
            del self._windows[key]
            return None
        return window

    def _sweep(self) -> None:
        now = time.time()
        self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
        if len(self._windows) >= self._max_keys:
            for key in nsmallest(self._max_keys // 10 + 1, self._windows, key=lambda k: self._windows[k][1]):
                del self._windows[key]
        self._sweep_at = min(max(_FIRST_SWEEP, 2 * len(self._windows)), self._max_keys)


class RedisCounters(RedisStorage):
    """Counters for all processes, at a ``redis://``, ``rediss://``, ``valkey://``, ``valkeys://`` or ``unix://`` URL.

    Each count is one Lua script, so it is atomic. A connection is waited for, made and read for at most
    ``timeout_seconds`` each and nothing is retried: a limit that waits is worse than one that fails, and
    :class:`.limiter.RateLimiter` says what happens then. Call :meth:`close` at the end.
    """

    def __init__(
        self, url: str, *, timeout_seconds: float = 0.5, max_connections: int = 50, key_prefix: str = "ratelimit"
    ) -> None:
        self._pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]  # untyped options
            re.sub(r"^valkey(s?)://", r"redis\1://", url),
            max_connections=max_connections,
            timeout=timeout_seconds,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
        )
        # Our own pool, because the one that limits makes is unbounded.
        options: dict[str, Any] = {"connection_pool": self._pool}
        super().__init__("async+redis://", implementation="redispy", key_prefix=key_prefix, **options)

    async def close(self) -> None:
        await self._pool.disconnect()


def rate_limit_table(metadata: MetaData) -> Table:
    """Defines the table ``rate_limits``; ``expires_at`` is in milliseconds since the epoch."""
    return Table(
        "rate_limits",
        metadata,
        Column("key", String(200), primary_key=True),
        Column("hits", Integer, nullable=False),
        Column("expires_at", BigInteger, nullable=False, index=True),
    )


class TableCounters:
    """Counters in a table on PostgreSQL or SQLite, shared by several processes without Redis.

    Each call is one statement in one short transaction, on its own connection. So never count while the caller holds
    a transaction on the same engine: where that engine has one connection (SQLite's writer) the two would wait for
    each other. Expired rows are deleted by a call of :meth:`incr` once a minute. A call that takes PostgreSQL longer
    than ``timeout_seconds`` raises ``TimeoutError``: a limit that waits is worse than one that fails.
    """

    base_exceptions = (SQLAlchemyError,)

    def __init__(self, engine: AsyncEngine, table: Table, *, timeout_seconds: float = 1.0) -> None:
        is_postgresql = engine.dialect.name == "postgresql"
        # On PostgreSQL a lone statement commits by itself, which saves two round trips. Not so on SQLite:
        # SQLAlchemy's AUTOCOMMIT would leave the driver's connection in another transaction mode than it found.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT") if is_postgresql else engine
        self._table = table
        self._timeout_seconds = timeout_seconds if is_postgresql else None
        self._increment = self._increment_statement()
        self._next_purge = time.monotonic() + _PURGE_SECONDS
        self._given_up: set[asyncio.Task[CursorResult[Any]]] = set()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = time.time()
        ends = int((now + expiry) * 1000)
        values = {"counter": key, "initial": max(0, amount), "amount": amount, "ends": ends, "now": int(now * 1000)}
        hits: int = (await self._run(self._increment, values)).scalar_one()
        if time.monotonic() >= self._next_purge:
            self._next_purge = time.monotonic() + _PURGE_SECONDS
            await self.purge()
        return hits

    async def get(self, key: str) -> int:
        columns = self._table.c
        live = (columns.key == key) & (columns.expires_at > int(time.time() * 1000))
        return (await self._run(select(columns.hits).where(live))).scalar_one_or_none() or 0

    async def clear(self, key: str) -> None:
        await self._run(delete(self._table).where(self._table.c.key == key))

    async def purge(self) -> int:
        """Deletes at most a thousand expired counters and returns their number; safe to run from many processes."""
        key = self._table.c.key
        # Skipping locked rows keeps two purges, or a purge and a count, from waiting for each other.
        old = select(key).where(self._table.c.expires_at <= int(time.time() * 1000)).limit(_PURGE_ROWS)
        # As a subquery PostgreSQL may run it for every row, and then there is no limit.
        expired = old.with_for_update(skip_locked=True).cte("expired")
        gone = await self._run(delete(self._table).where(key.in_(select(expired.c.key))).returning(key))
        return len(gone.all())

    async def _run(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> CursorResult[Any]:
        """In its own task, because giving up a connection that does not answer takes seconds, too.

        Waits in parts, so that a moment in which this process stands still is not mistaken for an outage.
        """
        task = asyncio.create_task(self._execute(statement, parameters))
        seconds = None if self._timeout_seconds is None else self._timeout_seconds / _PARTS
        try:
            for _ in range(_PARTS):
                if (await asyncio.wait({task}, timeout=seconds))[0]:
                    return task.result()
            raise TimeoutError
        finally:
            if not task.done():
                task.cancel()
                self._given_up.add(task)
                task.add_done_callback(self._forget)

    async def _execute(self, statement: Executable, parameters: Mapping[str, Any] | None) -> CursorResult[Any]:
        async with self._engine.begin() as connection:
            return await connection.execute(statement, parameters)

    def _forget(self, task: "asyncio.Task[CursorResult[Any]]") -> None:
        self._given_up.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it; the caller got a TimeoutError

    def _increment_statement(self) -> Executable:
        hits, expires_at = self._table.c.hits, self._table.c.expires_at
        initial, ends = bindparam("initial", type_=Integer), bindparam("ends", type_=BigInteger)
        is_over = expires_at <= bindparam("now", type_=BigInteger)
        total = hits + bindparam("amount", type_=Integer)
        return (
            insert_or_update(self._table)
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


Counters: TypeAlias = MemoryCounters | RedisCounters | TableCounters
