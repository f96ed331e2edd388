"""Reads without a transaction around them, straight from the driver into Structs.

A select in autocommit is half the round trips of BEGIN, select, ROLLBACK, and skipping the ORM halves the
processor time of what is left. See ``docs/decisions/0003-reads-skip-the-orm.md``.
"""

import asyncio
import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg
from sqlalchemy import JSON, Dialect
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.util.queue import Empty

from app.lib.db.faults import UNBINDABLE, DatabaseUnavailable
from app.lib.db.point_reads import PointReads
from app.lib.db.pool import FairQueue, PoolUsage
from app.lib.db.prepared import JSON_CODECS, Prepared, PreparedIn, Runner
from app.lib.db.sqlite import INSTRUCTIONS_BETWEEN_CHECKS, Deadline, identity_of
from app.lib.observability.tracing import RunStatement

T = TypeVar("T")

Observer = Callable[[str], None]

_CLOSE_SECONDS = 5.0
_SETTLE_SECONDS = 0.5
_MAX_IDLE_SECONDS = 300.0
_MAX_AGE_SECONDS = 1800.0


class Driver(Protocol):
    """What a database has to offer to be read from."""

    @property
    def dialect(self) -> Dialect: ...
    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]: ...
    def usage(self) -> PoolUsage: ...
    async def start(self) -> None: ...
    async def close(self) -> None: ...


class Reader(Runner):
    """Runs prepared selects. Every call stands alone: two calls may see two states of the database."""

    def __init__(self, driver: Driver) -> None:
        self.dialect = driver.dialect
        self.fetch: RunStatement[Sequence[Any]] = driver.fetch
        """Runs a statement; tracing puts spans around it."""
        self.observers: list[Observer] = []
        self._points = PointReads(self.all)

    async def all(self, prepared: Prepared[T], /, **values: Any) -> list[T]:
        """Every row."""
        compiled = prepared.compiled(self.dialect)
        for observe in self.observers:
            observe(compiled.sql)
        return compiled.rows(await self.fetch(compiled.sql, compiled.arguments(values)))

    async def find(self, prepared: PreparedIn[T], key: Any, /, **values: Any) -> T | None:
        """The row with this key, or None; together with other callers who look for one at this moment. So ``values``
        have to be the same for all of them, such as the time.
        """
        return await self._points.find(prepared, key, values)


class PostgreSQLDriver:
    """A pool of plain connections. Nothing but single selects run on them, so there is nothing to reset between two.

    asyncpg's own pool takes twice the time of a query by key.
    """

    def __init__(
        self, connect_arguments: dict[str, Any], size: int, *, acquire_timeout: float, pooled: bool = False
    ) -> None:
        self.dialect: Dialect = _ReaderDialect(**JSON_CODECS)  # type: ignore[no-untyped-call]  # SQLAlchemy's own
        self._pooled = pooled
        self._acquire_timeout = acquire_timeout
        self._slots = [_Slot(connect_arguments) for _ in range(size)]
        self._free = FairQueue(use_lifo=True)
        self._is_open = False

    def usage(self) -> PoolUsage:
        """How busy it is."""
        in_use = len(self._slots) - self._free.qsize() if self._is_open else 0
        return PoolUsage(len(self._slots), in_use, self._free.waiters)

    async def start(self) -> None:
        """Connections are opened by the first reads, so a start needs no database."""
        self._is_open = True
        for slot in self._slots:
            self._free.put_nowait(slot)

    async def close(self) -> None:
        """Waits for the reads that are under way, and closes the connections; by force after 5 seconds."""
        if not self._is_open:
            return
        self._is_open = False
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                for _ in self._slots:
                    await (await self._free.wait()).close()
        for slot in self._slots:
            slot.terminate()

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """Rows as asyncpg records. A pool that stays full raises ``DatabaseUnavailable`` after the acquire timeout,
        and so does a server that cannot be reached or does not answer in time.
        """
        if not self._is_open:
            raise DatabaseUnavailable("The database is not connected.")
        slot = await self._acquire()
        try:
            return await self._fetch(slot.connection, sql, arguments)
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            raise
        except BaseException as exc:
            await slot.settle()
            if isinstance(exc, OSError):
                raise DatabaseUnavailable from exc
            raise
        finally:
            slot.used_at = time.monotonic()
            self._free.put_nowait(slot)

    async def _fetch(self, connection: Any, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        # PgBouncer may change the server connection between parse and execute, but not in a transaction.
        async with connection.transaction(readonly=True) if self._pooled else nullcontext():
            rows: Sequence[Any] = await connection.fetch(sql, *arguments)
        return rows

    async def _acquire(self) -> "_Slot":
        if not self._free.empty():
            slot: _Slot = self._free.get_nowait()
            if slot.is_ready:
                return slot
            self._free.put_nowait(slot)
        taken: list[_Slot] = []
        limit = asyncio.timeout(self._acquire_timeout)
        try:
            async with limit:
                taken.append(await self._free.wait())
                await taken[0].open()
                return taken[0]
        except BaseException as exc:
            for slot in taken:
                self._free.put_nowait(slot)
            if limit.expired():
                raise DatabaseUnavailable("All database connections are busy.") from None
            if isinstance(exc, OSError):
                raise DatabaseUnavailable from exc
            raise


class _Slot:
    """Room for one connection, which is opened by its first read, and again when it was lost or is old."""

    def __init__(self, connect_arguments: dict[str, Any]) -> None:
        self._connect_arguments = connect_arguments
        self.connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._opened_at = self.used_at = -math.inf

    @property
    def is_ready(self) -> bool:
        """Whether it can be read from at once. What has been idle for long may be lost, and no one has noticed."""
        if self.connection is None or self.connection.is_closed():
            return False
        now = time.monotonic()
        return now - self.used_at < _MAX_IDLE_SECONDS and now - self._opened_at < _MAX_AGE_SECONDS

    async def open(self) -> None:
        """Raises ``OSError`` and what the server says."""
        if not self.is_ready:
            await self.close()
            self.connection = await asyncpg.connect(**self._connect_arguments)
            self._opened_at = self.used_at = time.monotonic()

    async def settle(self) -> None:
        """Waits a moment for the server to confirm that a query is cancelled; a connection that does not is closed."""
        if self.connection is not None:
            try:
                await self.connection.reset(timeout=_SETTLE_SECONDS)
            except Exception:  # noqa: BLE001 - another connection is better than one in doubt
                self.connection.terminate()

    async def close(self) -> None:
        """By force when the server does not answer at once. Does not fail."""
        if self.connection is not None:
            with suppress(Exception):
                await self.connection.close(timeout=_SETTLE_SECONDS)
            self.connection = None

    def terminate(self) -> None:
        """Closes the connection by force."""
        if self.connection is not None:
            self.connection.terminate()
            self.connection = None


class _ReaderDialect(PGDialect_asyncpg):
    """Decodes JSON itself; SQLAlchemy has its own connections do it."""

    colspecs = {**PGDialect_asyncpg.colspecs, JSON: postgresql.JSON, postgresql.JSONB: postgresql.JSONB}  # noqa: RUF012 - never changed
    supports_statement_cache = True


class SQLiteDriver:
    """Read-only connections, each used by one thread at a time: one hop to a thread and back per query."""

    def __init__(self, path: Path, size: int, *, acquire_timeout: float) -> None:
        self.dialect: Dialect = SQLiteDialect_aiosqlite(**JSON_CODECS)
        self._acquire_timeout = acquire_timeout
        self._connections = [_ReadConnection(path) for _ in range(size)]
        self._free = FairQueue(use_lifo=True)
        for each in self._connections:
            self._free.put_nowait(each)
        self._threads: ThreadPoolExecutor | None = None

    def usage(self) -> PoolUsage:
        """How busy it is."""
        size = len(self._connections)
        return PoolUsage(size, size - self._free.qsize(), self._free.waiters)

    async def start(self) -> None:
        """Starts the threads; connections are opened by the first reads."""
        self._threads = ThreadPoolExecutor(len(self._connections), thread_name_prefix="sqlite-reader")

    async def close(self) -> None:
        """Waits for the reads that are under way (at most 5 seconds), then closes every connection."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
        for connection in self._connections:
            connection.close()

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """Rows as tuples. Waits for a connection, and raises ``DatabaseUnavailable`` when that takes too long."""
        connection = await self._acquire()
        threads = self._threads
        if threads is None:  # before the start, or closed while this read waited its turn
            self._free.put_nowait(connection)
            raise DatabaseUnavailable("The database is not connected.")
        job = asyncio.get_running_loop().run_in_executor(threads, connection.fetch, sql, arguments)
        try:
            return await asyncio.shield(job)
        finally:
            if job.done():
                self._free.put_nowait(connection)
            else:  # cancelled: the connection is busy until the thread notices
                connection.deadline.expire()
                job.add_done_callback(lambda _job: self._free.put_nowait(connection))

    async def _acquire(self) -> "_ReadConnection":
        try:
            connection: _ReadConnection = await self._free.wait(self._acquire_timeout)
        except Empty:
            raise DatabaseUnavailable("All database connections are busy.") from None
        connection.deadline.restart()
        return connection


class _ReadConnection:
    """A connection that refuses to write. Opened by its first statement, again after a failed one, and when another
    file is in the place of the old one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._file: tuple[int, int] | None = None
        self._connection: sqlite3.Connection | None = None
        self.deadline = Deadline()

    def fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        try:
            connection = self._connection
            if connection is None or identity_of(self._path) != self._file:
                connection = self._reopen()
            return connection.execute(sql, arguments).fetchall()
        except UNBINDABLE as exc:
            raise sqlite3.DataError("a value cannot be bound") from exc
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _reopen(self) -> sqlite3.Connection:
        self.close()
        uri = f"{self._path.as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None, timeout=5)
        self._connection, self._file = connection, identity_of(self._path)
        connection.execute("PRAGMA query_only=ON")
        connection.set_progress_handler(self.deadline, INSTRUCTIONS_BETWEEN_CHECKS)
        return connection
