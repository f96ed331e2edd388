"""The driver's own connection under SQLAlchemy's, for prepared statements inside the same transaction.

It comes from the engine's pool, and a ``Connection`` of SQLAlchemy's is made on it when one is needed: for a session,
for an error, and always on SQLite. Errors of the driver are translated by SQLAlchemy, so pools, lost connections and
:mod:`app.lib.db.faults` see the same as with any other statement. What is saved is processor time: a statement through
a session costs several times what the driver itself takes, and a transaction through a ``Connection`` twice.
"""

import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar

# ruff: noqa: SLF001 - SQLAlchemy has no public way to do this; tests/lib/db hold it to what a session does
from sqlalchemy import Connection, Engine
from sqlalchemy.util import greenlet_spawn

from app.lib.observability.tracing import RunStatement, Tracing, traced

T = TypeVar("T")
_PARAMETER = re.compile(r"\$(\d+)")

Arguments = Sequence[Any]


class DirectConnection(ABC):
    """One connection of one transaction. Its methods raise what a session would raise."""

    def __init__(self, engine: Engine) -> None:
        """Takes a connection from the pool; in a greenlet, because that may have to wait."""
        internals: Any = engine
        self.dialect = engine.dialect
        self._engine = internals
        try:
            self._pooled: Any = engine.raw_connection()
        except internals.dialect.loaded_dbapi.Error as exc:
            kind: Any = Connection
            kind._handle_dbapi_exception_noconnection(exc, self.dialect, engine)
            raise
        self._adapter: Any = self._pooled.dbapi_connection
        self._driver: Any = self._pooled.driver_connection
        self._connection: Connection | None = None
        self._has_begun = False
        self._is_watched = engine.echo or Tracing.active is not None

    @property
    def connection(self) -> Connection:
        """SQLAlchemy's, in the same transaction."""
        if self._connection is None:
            self._connection = Connection(self._engine, self._pooled)
            self._connection.begin()
        return self._connection

    async def commit(self) -> None:
        """Ends the transaction."""
        await greenlet_spawn(self.connection.commit)

    async def rollback(self) -> None:
        """Ends the transaction and undoes it."""
        await greenlet_spawn(self.connection.rollback)

    async def close(self) -> None:
        """Gives the connection back."""
        await greenlet_spawn((self._connection or self._pooled).close)

    async def fetch(self, sql: str, arguments: Arguments) -> Sequence[Any]:
        """The rows."""
        return await self._run(self._fetch, sql, arguments)

    async def execute(self, sql: str, arguments: Arguments) -> int:
        """How many rows were affected."""
        return await self._run(self._execute, sql, arguments)

    async def execute_many(self, sql: str, rows: Sequence[Arguments]) -> None:
        """The statement once for each of the rows."""
        await self._run(self._execute_many, sql, rows, many=True)

    @abstractmethod
    async def insert_all(self, inserts: Sequence[tuple[str, Arguments]]) -> None:
        """Several inserts in one round trip."""

    async def fetch_many(self, sql: str, rows: Sequence[Arguments]) -> Sequence[Any]:
        """The rows that the statement returned for each of ``rows``, one after another."""
        return await self._run(self._fetch_many, sql, rows, many=True)

    @abstractmethod
    async def _begin(self) -> None: ...
    @abstractmethod
    async def _fetch(self, sql: str, arguments: Arguments) -> Sequence[Any]: ...
    @abstractmethod
    async def _fetch_many(self, sql: str, rows: Sequence[Arguments]) -> Sequence[Any]: ...
    @abstractmethod
    async def _execute(self, sql: str, arguments: Arguments) -> int: ...
    @abstractmethod
    async def _execute_many(self, sql: str, rows: Sequence[Arguments]) -> None: ...

    async def _run(self, call: RunStatement[T], sql: str, arguments: Any, *, many: bool = False) -> T:
        if self._engine._has_events:
            for listener in self._engine.dispatch.before_cursor_execute:
                listener(self._connection, None, sql, arguments, None, many)
        if self._is_watched:
            call = self._watched(call, sql)
        try:
            if not self._has_begun:
                await self._begin()
                self._has_begun = True
            return await call(sql, arguments)
        except BaseException as exc:
            await greenlet_spawn(_raise_translated, self, sql, exc)
            raise

    def _watched(self, call: RunStatement[T], sql: str) -> RunStatement[T]:
        if self._engine.echo:
            self._engine.logger.info(sql)
        return traced(call, self.dialect.name)


def _raise_translated(direct: DirectConnection, sql: str, error: BaseException) -> None:
    """Raises the error as SQLAlchemy does for a statement of its own, which also gives up a connection that is lost.
    On one that was lost before, it is ``PendingRollbackError``.
    """
    internals: Any = direct.connection
    adapter: Any = internals.connection.dbapi_connection
    try:
        adapter._handle_exception(error)
    except BaseException as translated:  # noqa: BLE001 - a cancelled statement gives the connection up, too
        is_of_driver = isinstance(translated, internals.dialect.loaded_dbapi.Error)
        internals._handle_dbapi_exception(translated, sql if is_of_driver else None, (), None, None)


class PostgreSQLConnection(DirectConnection):
    """asyncpg keeps each statement prepared on its connection, or uses unnamed ones where a pooler is in between."""

    async def commit(self) -> None:
        await self._end(self._adapter._commit_and_discard, super().commit)

    async def rollback(self) -> None:
        await self._end(self._adapter._rollback_and_discard, super().rollback)

    async def _end(self, here: Callable[[], Awaitable[None]], there: Callable[[], Awaitable[None]]) -> None:
        """``there`` is where SQLAlchemy knows of the transaction."""
        if self._connection is not None:
            await there()
        elif self._adapter._started:
            try:
                await here()
            except BaseException as exc:
                await greenlet_spawn(_raise_translated, self, "", exc)
                raise

    async def close(self) -> None:
        if self._connection is not None:
            await super().close()
        else:
            self._pooled.close()  # the transaction is over, so there is nothing to wait for

    async def _fetch(self, sql: str, arguments: Arguments) -> Sequence[Any]:
        rows: Sequence[Any] = await self._driver.fetch(sql, *arguments)
        return rows

    async def _fetch_many(self, sql: str, rows: Sequence[Arguments]) -> Sequence[Any]:
        returned: Sequence[Any] = await self._driver.fetchmany(sql, rows)
        return returned

    async def _execute(self, sql: str, arguments: Arguments) -> int:
        status: str = await self._driver.execute(sql, *arguments)
        count = status.rpartition(" ")[2]  # of "INSERT 0 1" or "UPDATE 3"; others, such as "SAVEPOINT", count nothing
        return int(count) if count.isdecimal() else 0

    async def _execute_many(self, sql: str, rows: Sequence[Arguments]) -> None:
        await self._driver.executemany(sql, rows)

    async def insert_all(self, inserts: Sequence[tuple[str, Arguments]]) -> None:
        """As one statement. Foreign keys among them hold, because PostgreSQL looks at its end."""
        sql = inserts[0][0] if len(inserts) == 1 else _as_one(tuple(sql for sql, _ in inserts))
        await self.execute(sql, [value for _, arguments in inserts for value in arguments])

    async def _begin(self) -> None:
        """SQLAlchemy's adapter begins a transaction with its first statement, and so does this."""
        if not self._adapter._started:
            await self._adapter._start_transaction()


class SQLiteConnection(DirectConnection):
    """One hop to the connection's thread and back for each call, where a cursor needs three."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        try:
            self._connection = self.connection  # its beginning is an event, which sends BEGIN IMMEDIATE
        except BaseException:
            (self._connection or self._pooled).close()
            raise

    async def _begin(self) -> None:
        """Has begun."""

    async def _fetch(self, sql: str, arguments: Arguments) -> Sequence[Any]:
        return await self._in_thread(_fetch, sql, arguments)

    async def _fetch_many(self, sql: str, rows: Sequence[Arguments]) -> Sequence[Any]:
        return await self._in_thread(_fetch_many, sql, rows)

    async def _execute(self, sql: str, arguments: Arguments) -> int:
        return await self._in_thread(_execute, sql, arguments)

    async def _execute_many(self, sql: str, rows: Sequence[Arguments]) -> None:
        await self._in_thread(_execute_many, sql, rows)

    async def insert_all(self, inserts: Sequence[tuple[str, Arguments]]) -> None:
        """One after another."""
        await self._run(self._insert_all, "; ".join(sql for sql, _ in inserts), inserts)

    async def _insert_all(self, _sql: str, inserts: Sequence[tuple[str, Arguments]]) -> None:
        await self._in_thread(_insert_all, "", inserts)

    async def _in_thread(self, call: Callable[[sqlite3.Connection, str, Any], T], sql: str, arguments: Any) -> T:
        result: T = await self._driver._execute(partial(call, self._driver._conn, sql, arguments))
        return result


def _fetch(connection: sqlite3.Connection, sql: str, arguments: Arguments) -> list[Any]:
    return connection.execute(sql, arguments).fetchall()


def _fetch_many(connection: sqlite3.Connection, sql: str, rows: Sequence[Arguments]) -> list[Any]:
    return [returned for arguments in rows for returned in connection.execute(sql, arguments).fetchall()]


def _execute(connection: sqlite3.Connection, sql: str, arguments: Arguments) -> int:
    cursor = connection.execute(sql, arguments)
    if cursor.description:
        return len(cursor.fetchall())
    if cursor.rowcount < 0 and sql.startswith("WITH "):  # Python's own module looks at the first word alone
        (count,) = connection.execute("SELECT changes()").fetchone()
        return int(count)
    return max(cursor.rowcount, 0)


def _execute_many(connection: sqlite3.Connection, sql: str, rows: Sequence[Arguments]) -> None:
    connection.executemany(sql, rows)


def _insert_all(connection: sqlite3.Connection, _sql: str, inserts: Sequence[tuple[str, Arguments]]) -> None:
    for sql, arguments in inserts:
        connection.execute(sql, arguments)


@lru_cache(1024)
def _as_one(inserts: tuple[str, ...]) -> str:
    """One statement that runs several for PostgreSQL; its parameters are theirs, one after another."""
    parts, before = [], 0
    for number, sql in enumerate(inserts):
        numbers = {int(each[1]) for each in _PARAMETER.finditer(sql)}
        parts.append(f"_{number} AS ({_PARAMETER.sub(partial(_renumbered, before), sql)})")
        before += max(numbers, default=0)
    return f"WITH {', '.join(parts)} SELECT 1"


def _renumbered(before: int, parameter: re.Match[str]) -> str:
    return f"${int(parameter[1]) + before}"


def direct(engine: Engine) -> DirectConnection:
    """A connection with a transaction; call it in a greenlet. Raises what ``engine.connect()`` raises."""
    return (PostgreSQLConnection if engine.dialect.name == "postgresql" else SQLiteConnection)(engine)
