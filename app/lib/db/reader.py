"""Reads without a transaction around them, straight from the driver into Structs.

A select in autocommit is half the round trips of BEGIN, select, ROLLBACK, and skipping the ORM halves the
processor time of what is left. See ``docs/decisions/0003-reads-skip-the-orm.md``.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import JSON, Dialect
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite

from app.lib.db.faults import UNBINDABLE, DatabaseUnavailable
from app.lib.db.prepared import JSON_CODECS, Prepared
from app.lib.db.sqlite import INSTRUCTIONS_BETWEEN_CHECKS, Deadline, identity_of
from app.lib.errors import AppError

T = TypeVar("T")

Observer = Callable[[str], None]

_CLOSE_SECONDS = 5.0
_CANCEL_SECONDS = 0.5


class Driver(Protocol):
    """What a database has to offer to be read from."""

    @property
    def dialect(self) -> Dialect: ...
    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]: ...
    @property
    def busy(self) -> int: ...

    async def start(self) -> None: ...
    async def close(self) -> None: ...


class Reader:
    """Runs prepared selects. Every call stands alone: two calls may see two states of the database."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._dialect = driver.dialect
        self.observers: list[Observer] = []

    async def all(self, prepared: Prepared[T], /, **values: Any) -> list[T]:
        """Every row."""
        compiled = prepared.compiled(self._dialect)
        for observe in self.observers:
            observe(compiled.sql)
        return compiled.rows(await self._driver.fetch(compiled.sql, compiled.arguments(values)))

    async def first(self, prepared: Prepared[T], /, **values: Any) -> T | None:
        """The first row, or None. The statement itself should say ``LIMIT 1`` where there may be more."""
        rows = await self.all(prepared, **values)
        return rows[0] if rows else None

    async def one(self, prepared: Prepared[T], missing: type[AppError], /, **values: Any) -> T:
        """The first row. Raises ``missing`` when there is none."""
        if (found := await self.first(prepared, **values)) is None:
            raise missing
        return found

    async def scalar(self, prepared: Prepared[T], /, **values: Any) -> T | None:
        """The first column of the first row, or None; for statements prepared with a plain type."""
        return await self.first(prepared, **values)


class PostgreSQLDriver:
    """An asyncpg pool of its own, whose connections are handed back without the pool's reset query.

    Safe because nothing but single selects run here: there is no state to reset.
    """

    def __init__(
        self, connect_arguments: dict[str, Any], size: int, *, acquire_timeout: float, pooled: bool = False
    ) -> None:
        self.dialect: Dialect = _ReaderDialect(**JSON_CODECS)  # type: ignore[no-untyped-call]  # SQLAlchemy's own
        self._pooled = pooled
        self._connect_arguments = connect_arguments
        self._size = size
        self._acquire_timeout = acquire_timeout
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    @property
    def busy(self) -> int:
        """Connections in use at the moment."""
        return self._pool.get_size() - self._pool.get_idle_size() if self._pool is not None else 0

    async def start(self) -> None:
        """Makes the pool; its first connection is opened by the first read, so a start needs no database."""
        self._pool = await asyncpg.create_pool(
            min_size=0,
            max_size=self._size,
            max_inactive_connection_lifetime=300,
            reset=_leave_as_is,
            **self._connect_arguments,
        )

    async def close(self) -> None:
        """Closes the connections, by force after 5 seconds."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """Rows as asyncpg records. A pool that stays full raises ``DatabaseUnavailable`` after the acquire timeout,
        and so does a server that cannot be reached or does not answer in time.
        """
        pool = self._pool
        if pool is None:
            raise DatabaseUnavailable("The database is not connected.")
        connection = await self._acquire(pool)
        try:
            return await self._fetch(connection, sql, arguments)
        except OSError as exc:
            raise DatabaseUnavailable from exc
        finally:
            if _is_lost(connection):  # and the others probably, too
                await pool.expire_connections()
            # Waits a moment for the server to confirm a cancelled query; a connection that does not is closed.
            with suppress(OSError):
                await pool.release(connection, timeout=_CANCEL_SECONDS)

    async def _fetch(
        self, connection: "PoolConnectionProxy[asyncpg.Record]", sql: str, arguments: Sequence[Any]
    ) -> Sequence[Any]:
        if not self._pooled:
            return await connection.fetch(sql, *arguments)
        # PgBouncer may change the server connection between parse and execute, but not in a transaction.
        async with connection.transaction(readonly=True):
            return await connection.fetch(sql, *arguments)

    async def _acquire(self, pool: "asyncpg.Pool[asyncpg.Record]") -> "PoolConnectionProxy[asyncpg.Record]":
        limit = asyncio.timeout(self._acquire_timeout)
        try:
            async with limit:
                return await pool.acquire()
        except OSError as exc:  # a timeout is one, too
            if limit.expired():
                raise DatabaseUnavailable("All database connections are busy.") from None
            raise DatabaseUnavailable from exc


def _is_lost(connection: "PoolConnectionProxy[asyncpg.Record]") -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True  # the pool has taken it back already


async def _leave_as_is(connection: object) -> None:
    """Stands in for asyncpg's reset query, a round trip that single selects do not need."""


class _ReaderDialect(PGDialect_asyncpg):
    """Decodes JSON itself; SQLAlchemy has its own connections do it."""

    colspecs = {**PGDialect_asyncpg.colspecs, JSON: postgresql.JSON, postgresql.JSONB: postgresql.JSONB}  # noqa: RUF012 - never changed
    supports_statement_cache = True


class SQLiteDriver:
    """Read-only connections, each used by one thread at a time: one hop to a thread and back per query."""

    def __init__(self, path: Path, size: int, *, acquire_timeout: float) -> None:
        self.dialect: Dialect = SQLiteDialect_aiosqlite(**JSON_CODECS)
        self._acquire_timeout = acquire_timeout
        self._size = size
        self._slots = asyncio.Semaphore(size)
        self._connections = [_ReadConnection(path) for _ in range(size)]
        self._idle = [*self._connections]
        self._threads: ThreadPoolExecutor | None = None

    @property
    def busy(self) -> int:
        """Connections in use at the moment."""
        return self._size - len(self._idle)

    async def start(self) -> None:
        """Starts the threads; connections are opened by the first reads."""
        self._threads = ThreadPoolExecutor(self._size, thread_name_prefix="sqlite-reader")

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
            self._release(connection)
            raise DatabaseUnavailable("The database is not connected.")
        job = asyncio.get_running_loop().run_in_executor(threads, connection.fetch, sql, arguments)
        try:
            return await asyncio.shield(job)
        finally:
            if job.done():
                self._release(connection)
            else:  # cancelled: the connection is busy until the thread notices
                connection.deadline.expire()
                job.add_done_callback(lambda _job: self._release(connection))

    async def _acquire(self) -> "_ReadConnection":
        try:
            async with asyncio.timeout(self._acquire_timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise DatabaseUnavailable("All database connections are busy.") from None
        connection = self._idle.pop()
        connection.deadline.restart()
        return connection

    def _release(self, connection: "_ReadConnection") -> None:
        self._idle.append(connection)
        self._slots.release()


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
