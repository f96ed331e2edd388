"""Where hits are counted: in this process, in a table of the service's own database, or in Redis (:mod:`.redis`).

All are fixed-window counters with one method. A negative amount gives back, never below 0.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from heapq import nsmallest
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy import BigInteger, Column, Executable, Integer, MetaData, Row, String, Table, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.lib.db.statements import BATCH, delete_batch

_FIRST_SWEEP = 1024
_PURGE_SECONDS = 60
_PARTS = 4


class Count(NamedTuple):
    """``amount`` for a key whose window, if it begins now, has ``seconds``."""

    key: str
    seconds: int
    amount: int = 1


class Counters(Protocol):
    """``base_exceptions`` are the errors of an outage."""

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]: ...

    async def add(self, counts: Sequence[Count]) -> list[int]:
        """Counts the keys in one round trip, each key atomically, and returns their sums."""
        ...


class SharedCounters(Counters, Protocol):
    """Outside this process and its database."""

    async def check(self) -> bool:
        """Whether they answer."""
        ...

    async def close(self) -> None: ...


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

    async def add(self, counts: Sequence[Count]) -> list[int]:
        return [self._add(*count) for count in counts]

    def __len__(self) -> int:
        return len(self._windows)

    def _add(self, key: str, seconds: int, amount: int) -> int:
        now, window = time.time(), self._windows.get(key)
        if window is None or window[1] <= now:
            if window is None and len(self._windows) >= self._sweep_at:
                self._sweep()
            window = self._windows[key] = [0, now + seconds]
        window[0] = max(0, window[0] + amount)
        return int(window[0])

    def _sweep(self) -> None:
        now = time.time()
        self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
        if len(self._windows) >= self._max_keys:
            for key in nsmallest(self._max_keys // 10 + 1, self._windows, key=lambda k: self._windows[k][1]):
                del self._windows[key]
        self._sweep_at = min(max(_FIRST_SWEEP, 2 * len(self._windows)), self._max_keys)


def rate_limit_table(metadata: MetaData) -> Table:
    """Defines the table ``rate_limits``; ``expires_at`` is in milliseconds since the epoch."""
    return Table(
        "rate_limits",
        metadata,
        Column("key", String(200), primary_key=True),
        Column("hits", Integer, nullable=False),
        Column("expires_at", BigInteger, nullable=False, index=True),
    )


_ADD_TO_TABLE = """
INSERT INTO {table} (key, hits, expires_at)
SELECT value ->> 0, CAST(value ->> 1 AS INTEGER), CAST(value ->> 2 AS BIGINT) FROM {rows} WHERE {condition}
ON CONFLICT (key) DO UPDATE SET
    hits = CASE WHEN {table}.expires_at <= :now OR {table}.hits < 0 THEN 0 ELSE {table}.hits END + excluded.hits,
    expires_at = CASE WHEN {table}.expires_at <= :now THEN excluded.expires_at ELSE {table}.expires_at END
RETURNING key, hits
"""
# A power cut may cost the counts of half a second. Waiting for the disk would cost each attempt a millisecond, and as
# long would all others wait who count for the same key.
_ON_POSTGRESQL = {
    "rows": "json_array_elements(CAST(:counts AS JSON)) AS counts (value)",
    "condition": "set_config('synchronous_commit', 'off', true) = 'off'",
}
_ON_SQLITE = {"rows": "json_each(:counts)", "condition": "true"}


class TableCounters:
    """Counters in a table on PostgreSQL or SQLite, for all processes, which outlive them.

    Each call is one statement in one short transaction, on its own connection. So never count while the caller holds
    a transaction on the same engine: where that engine has one connection (SQLite's writer) the two would wait for
    each other. Expired rows are deleted by a call of :meth:`add` once a minute, and once a second while there are many.
    A call that takes longer than ``timeout_seconds`` raises ``TimeoutError``, also while another process has SQLite's
    lock: a limit that waits is worse than one that fails.
    """

    base_exceptions = (SQLAlchemyError,)

    def __init__(self, engine: AsyncEngine, table: Table, *, timeout_seconds: float = 1.0) -> None:
        is_postgresql = engine.dialect.name == "postgresql"
        # On PostgreSQL a lone statement commits by itself, which saves two round trips. Not so on SQLite:
        # SQLAlchemy's AUTOCOMMIT would leave the driver's connection in another transaction mode than it found.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT") if is_postgresql else engine
        self._table = table
        self._timeout_seconds = timeout_seconds
        self._add = text(_ADD_TO_TABLE.format(table=table.name, **(_ON_POSTGRESQL if is_postgresql else _ON_SQLITE)))
        self._next_purge = time.monotonic() + _PURGE_SECONDS
        self._given_up: set[asyncio.Task[Sequence[Row[Any]]]] = set()

    async def add(self, counts: Sequence[Count]) -> list[int]:
        now = time.time()
        # In one order everywhere, so that no two wait for each other's rows.
        rows = sorted((key, amount, int((now + seconds) * 1000)) for key, seconds, amount in counts)
        values = {"counts": msgspec.json.encode(rows).decode(), "now": int(now * 1000)}
        sums = {row.key: max(0, row.hits) for row in await self._run(self._add, values)}
        if time.monotonic() >= self._next_purge:
            self._next_purge = time.monotonic() + _PURGE_SECONDS
            with contextlib.suppress(SQLAlchemyError, OSError, TimeoutError):  # what was counted counts all the same
                if await self.purge() == BATCH:  # attackers with many addresses make more of them in a minute
                    self._next_purge = time.monotonic() + 1
        return [sums[count.key] for count in counts]

    async def purge(self) -> int:
        """Deletes at most a thousand expired counters and returns their number; safe to run from many processes."""
        expired = delete_batch(self._table, self._table.c.expires_at <= int(time.time() * 1000))
        return len(await self._run(expired.returning(self._table.c.key)))

    async def _run(self, statement: Executable, values: dict[str, Any] | None = None) -> Sequence[Row[Any]]:
        """In its own task, because giving up a connection that does not answer takes seconds, too.

        Waits in parts, so that a moment in which this process stands still is not mistaken for an outage.
        """
        task = asyncio.create_task(self._execute(statement, values))
        try:
            for _ in range(_PARTS):
                if (await asyncio.wait({task}, timeout=self._timeout_seconds / _PARTS))[0]:
                    return task.result()
            raise TimeoutError
        finally:
            if not task.done():
                task.cancel()
                self._given_up.add(task)
                task.add_done_callback(self._forget)

    async def _execute(self, statement: Executable, values: dict[str, Any] | None) -> Sequence[Row[Any]]:
        async with self._engine.begin() as connection:
            return (await connection.execute(statement, values)).all()

    def _forget(self, task: "asyncio.Task[Sequence[Row[Any]]]") -> None:
        self._given_up.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it; the caller got a TimeoutError
