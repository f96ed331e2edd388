"""Reads without a transaction around them, straight from the driver into Structs.

A select in autocommit is half the round trips of BEGIN, select, ROLLBACK, and skipping the ORM halves the
processor time of what is left. See ``docs/decisions/0003-reads-skip-the-orm.md``.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg
from sqlalchemy import URL, Dialect

from app.lib.db.prepared import Prepared
from app.lib.errors import Unavailable

T = TypeVar("T")

Observer = Callable[[str], None]


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
        self.dialect: Dialect = URL.create("postgresql+asyncpg").get_dialect()()
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
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), 5)
            except TimeoutError:
                self._pool.terminate()
            self._pool = None

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """Rows as asyncpg records. A full pool raises ``Unavailable`` after the acquire timeout."""
        if self._pool is None:
            raise Unavailable("The database is not connected.")
        try:
            connection = await self._pool.acquire(timeout=self._acquire_timeout)
        except TimeoutError:
            raise Unavailable("All database connections are busy.") from None
        try:
            if not self._pooled:
                return await connection.fetch(sql, *arguments)
            # PgBouncer may change the server connection between parse and execute, but not in a transaction.
            async with connection.transaction(readonly=True):
                return await connection.fetch(sql, *arguments)
        finally:
            await self._pool.release(connection)


async def _leave_as_is(connection: object) -> None:
    """Stands in for asyncpg's reset query, a round trip that single selects do not need."""


class SQLiteDriver:
    """Read-only connections, each used by one thread at a time: one hop to a thread and back per query."""

    def __init__(self, path: Path, size: int, *, acquire_timeout: float) -> None:
        self.dialect: Dialect = URL.create("sqlite+aiosqlite").get_dialect()()
        self._path = path
        self._acquire_timeout = acquire_timeout
        self._size = size
        self._slots: asyncio.Semaphore | None = None
        self._busy = 0
        self._idle: list[_ReadConnection] = []
        self._threads: ThreadPoolExecutor | None = None

    @property
    def busy(self) -> int:
        """Connections in use at the moment."""
        return self._busy

    async def start(self) -> None:
        """Starts the threads; connections are opened by the first reads."""
        self._slots = asyncio.Semaphore(self._size)
        self._threads = ThreadPoolExecutor(self._size, thread_name_prefix="sqlite-reader")

    async def close(self) -> None:
        """Closes every connection and ends the threads."""
        while self._idle:
            self._idle.pop().close()
        if self._threads is not None:
            self._threads.shutdown(wait=True)
            self._threads = None

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """Rows as tuples. Waits for a connection, and raises ``Unavailable`` when that takes too long."""
        if self._threads is None:
            raise Unavailable("The database is not connected.")
        async with self._slot():
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._run, sql, arguments)

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncGenerator[None]:
        slots = self._slots
        if slots is None:
            raise Unavailable("The database is not connected.")
        try:
            await asyncio.wait_for(slots.acquire(), self._acquire_timeout)
        except TimeoutError:
            raise Unavailable("All database connections are busy.") from None
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            slots.release()

    def _run(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        connection = self._idle.pop() if self._idle else _ReadConnection(self._path)
        try:
            rows = connection.fetch(sql, arguments)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return rows


class _ReadConnection:
    """A connection that refuses to write and gives up on a statement after five seconds, as PostgreSQL's does."""

    _STATEMENT_SECONDS = 5.0
    _INSTRUCTIONS_BETWEEN_CHECKS = 100_000

    def __init__(self, path: Path) -> None:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None, timeout=5)
        self._connection.execute("PRAGMA query_only=ON")
        self._deadline = 0.0
        self._connection.set_progress_handler(self._is_late, self._INSTRUCTIONS_BETWEEN_CHECKS)

    def _is_late(self) -> int:
        return int(time.monotonic() > self._deadline)

    def fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        self._deadline = time.monotonic() + self._STATEMENT_SECONDS
        return self._connection.execute(sql, arguments).fetchall()

    def close(self) -> None:
        self._connection.close()
