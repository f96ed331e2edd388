"""The two ways to a database: an engine that writes, and a reader."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import msgspec
from sqlalchemy import URL, Connection, DateTime, ExceptionContext, Integer, event, func, select
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.lib.db.faults import TRANSACTION_LOST, UNBINDABLE
from app.lib.db.pool import FairPool, PoolUsage
from app.lib.db.prepared import JSON_CODECS, prepare
from app.lib.db.reader import Driver, PostgreSQLDriver, Reader, SQLiteDriver
from app.lib.db.sqlite import INSTRUCTIONS_BETWEEN_CHECKS, Deadline, SafelyClosed, identity_of
from app.lib.db.turns import Turns
from app.lib.db.uow import UnitOfWork
from app.lib.db.url import DatabaseURL
from app.lib.db.writes import Writes

POSTGRESQL_POOL_TIMEOUT = 5.0
SQLITE_POOL_TIMEOUT = 30.0
SQLITE_LOCK_TIMEOUT = 15.0
SQLITE_READERS = 4

_LOG_LIMIT = "journal_size_limit=4194304"
_BEGIN = "BEGIN IMMEDIATE"
_DEADLINE = "deadline"
_FILE = "file"

_SERVER_SETTINGS = {
    "statement_timeout": "5000",
    "lock_timeout": "2000",  # longer than it takes to notice a deadlock, which is one second
    "idle_in_transaction_session_timeout": "10000",
    "jit": "off",  # it only ever costs where statements take milliseconds
}


CONNECTION_BUDGET = 80
"""What all workers of a server open by default: PostgreSQL allows 100, and operators and job workers need some."""

_max_connections = prepare(
    select(
        func.current_setting("max_connections").cast(Integer)
        - func.current_setting("superuser_reserved_connections").cast(Integer)
    ),
    int,
)


class ServerRow(msgspec.Struct, frozen=True):
    """``version`` is 150004 for PostgreSQL 15.4."""

    version: int
    now: datetime


_server = prepare(
    select(
        func.current_setting("server_version_num").cast(Integer).label("version"),
        func.clock_timestamp(type_=DateTime(timezone=True)).label("now"),
    ),
    ServerRow,
)

_UNPOOLED = 3
"""A worker's connections outside its pools: two of its job queue, and one that listens for hints."""


class PoolSizes(msgspec.Struct, frozen=True):
    """PostgreSQL connections of one process: ``requests`` for reads and again for writes, and so for ``jobs``.

    ``processes`` are the workers of `app serve`, and one `app worker` where jobs run apart.
    """

    requests: int
    jobs: int
    processes: int

    @classmethod
    def of(cls, processes: int, requests: int | None) -> Self:
        """The wanted number, or up to ten that fit into :data:`CONNECTION_BUDGET` for this number of processes."""
        size = requests or min(10, max(1, (CONNECTION_BUDGET // processes - _UNPOOLED) // 3))
        return cls(size, max(1, size // 2), processes)

    @property
    def total(self) -> int:
        """The most that a process opens."""
        return 2 * (self.requests + self.jobs) + _UNPOOLED


class DatabaseOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``pool_size`` is the number of PostgreSQL connections for reads, and for writes, of this process.

    ``name`` is what the server shows for them.
    """

    url: DatabaseURL
    name: str = "app"
    pool_size: int = 10
    echo: bool = False
    pooler: bool = False


class Database:
    """Engine and reader of one database, for the life of a process."""

    def __init__(self, options: DatabaseOptions) -> None:
        self.options = options
        self.url = options.url
        self.engine, self._driver = _sqlite(options) if self.url.is_sqlite else _postgresql(options)
        self.reader = Reader(self._driver)
        self.writes = Writes()
        self._turns = Turns()
        self.pools: dict[str, Database] = {"requests": self}
        """The databases of this process that have connections of their own, by what these are for."""
        if options.echo:
            self.reader.observers.append(self.engine.sync_engine.logger.info)

    def with_own_pool(self, pool_size: int, name: str) -> "Database":
        """The same database with connections of its own, for a caller that must not wait for others; the caller starts
        and closes it. SQLite has one writer for all, so there it is this one.
        """
        if self.url.is_sqlite:
            return self
        other = Database(msgspec.structs.replace(self.options, pool_size=pool_size))
        other.writes, other.pools = self.writes, self.pools
        self.pools[name] = other
        return other

    def usage(self) -> dict[str, PoolUsage]:
        """How busy the connections are that read, and those that write."""
        return {"read": self._driver.usage(), "write": cast("FairPool", self.engine.pool).usage()}

    async def server(self) -> ServerRow | None:
        """What the server says of itself; None for SQLite."""
        return None if self.url.is_sqlite else await self.reader.first(_server)

    async def max_connections(self) -> int | None:
        """Connections that the server allows to all its clients but superusers; None for SQLite."""
        return None if self.url.is_sqlite else await self.reader.first(_max_connections)

    async def start(self) -> None:
        """Readies the reader. Opens no connection, so a service may start before its database."""
        await self._driver.start()

    async def close(self) -> None:
        """Closes every connection."""
        await self._driver.close()
        await self.engine.dispose()

    def unit(self) -> UnitOfWork:
        """A unit of work. The caller commits it or rolls it back."""
        return UnitOfWork(self.engine, self.writes, self._turns)

    @asynccontextmanager
    async def independent(self) -> AsyncGenerator[UnitOfWork]:
        """A transaction of its own: it stays although the request that caused it is refused.

        For failed sign-ins, reuse detection and audits of denials. Never open one while the request's own unit of
        work has written: SQLite has one writer, and the two would wait for each other.
        """
        unit = self.unit()
        try:
            yield unit
            await unit.commit()
        except BaseException:
            await unit.rollback()
            raise


def allow_pauses() -> None:
    """For a process with a debugger: its transactions may wait for as long as a person thinks. Call it first."""
    _SERVER_SETTINGS["idle_in_transaction_session_timeout"] = "0"


def _postgresql(options: DatabaseOptions) -> tuple[AsyncEngine, Driver]:
    # The server's own limit comes first and leaves a clean connection; ours is for a server that does not answer.
    arguments: dict[str, Any] = {
        "timeout": 3,
        "command_timeout": 5.3,
        "server_settings": {"application_name": options.name, **_SERVER_SETTINGS},
    }
    engine_arguments = dict(arguments)
    if options.pooler:
        # PgBouncer refuses the other startup parameters. Named statements would stay on whichever server connection
        # they came to; unnamed ones are safe, because every statement is in a transaction and executed at once.
        arguments["server_settings"] = engine_arguments["server_settings"] = {"application_name": options.name}
        arguments["statement_cache_size"] = engine_arguments["statement_cache_size"] = 0
        engine_arguments["prepared_statement_cache_size"] = 0
        engine_arguments["prepared_statement_name_func"] = _unnamed
    engine = create_async_engine(
        options.url.url,
        echo=options.echo,
        pool_size=options.pool_size,
        max_overflow=0,
        pool_timeout=POSTGRESQL_POOL_TIMEOUT,
        pool_recycle=1800,
        connect_args=engine_arguments,
        **_common(),
    )
    prepare_postgresql(engine)
    driver = PostgreSQLDriver(
        options.url.connect_arguments | arguments,
        options.pool_size,
        acquire_timeout=POSTGRESQL_POOL_TIMEOUT,
        pooled=options.pooler,
    )
    return engine, driver


def _unnamed() -> str:
    return ""


def prepare_postgresql(engine: AsyncEngine) -> None:
    """Makes an engine raise faults of the network as database errors, and replace connections that were lost."""
    event.listen(engine.sync_engine, "do_connect", _connect)
    event.listen(engine.sync_engine, "checkout", _check_open)
    event.listen(engine.sync_engine, "handle_error", _wrap_python_errors, retval=True)


def _connect(dialect: Any, _record: object, arguments: Any, options: Any) -> Any:
    try:
        return dialect.connect(*arguments, **options)
    except OSError as exc:
        raise OperationalError(None, None, exc) from exc


def _check_open(connection: Any, _record: object, _proxy: object) -> None:
    """Asks asyncpg, not the server, so it costs nothing; the pool then connects again."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _wrap_python_errors(context: ExceptionContext) -> DBAPIError | None:
    """Asyncpg and sqlite3 raise some of Python's own errors, which SQLAlchemy would pass on as they are."""
    original = context.original_exception
    if isinstance(original, UNBINDABLE):
        return DataError(None, None, original)
    if not isinstance(original, OSError):
        return None
    if context.connection is not None and not context.connection.invalidated:
        # At once, because a ROLLBACK would wait for an answer just as long again.
        driver_connection: Any = context.connection.connection.driver_connection
        driver_connection.terminate()
    context.is_disconnect = True
    return OperationalError(None, None, original)


def _sqlite(options: DatabaseOptions) -> tuple[AsyncEngine, Driver]:
    file = options.url.path.absolute()
    engine = create_async_engine(
        # Only migrations make the file: what would be written into a new one is not what anybody wants to keep.
        URL.create("sqlite+aiosqlite", database=file.as_uri(), query={"mode": "rw", "uri": "true"}),
        echo=options.echo,
        pool_size=1,
        max_overflow=0,
        pool_timeout=SQLITE_POOL_TIMEOUT,
        connect_args={"timeout": SQLITE_LOCK_TIMEOUT, "factory": SafelyClosed},
        **_common(),
    )
    prepare_sqlite(engine)
    event.listen(engine.sync_engine, "connect", _set_deadline)
    event.listen(engine.sync_engine, "connect", partial(_remember_file, file))
    event.listen(engine.sync_engine, "checkout", partial(_check_file, file))
    event.listen(engine.sync_engine, "before_cursor_execute", _before_statement)
    event.listen(engine.sync_engine, "commit", _check_transaction)
    event.listen(engine.sync_engine, "handle_error", _wrap_python_errors, retval=True)
    return engine, SQLiteDriver(file, SQLITE_READERS, acquire_timeout=SQLITE_POOL_TIMEOUT)


def _remember_file(file: Path, _connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_FILE] = identity_of(file)


def _check_file(file: Path, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Without this, writes to a file that was removed would be acknowledged and lost."""
    if record.info[_FILE] != identity_of(file):
        raise DisconnectionError


def prepare_sqlite(engine: AsyncEngine) -> None:
    """Makes every connection of an engine a safe one: WAL, foreign keys, and the write lock at BEGIN."""
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin_immediate)


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 must not begin transactions of its own
    cursor = connection.cursor()
    # First the patience, because the switch to WAL may have to wait. FULL keeps acknowledged commits through a
    # power cut; NORMAL could lose the last ones. The log grows while a long reader needs its pages, and is cut back
    # to the limit by the first commits after it has left.
    busy = f"busy_timeout={SQLITE_LOCK_TIMEOUT * 1000:.0f}"
    for pragma in (busy, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", _LOG_LIMIT):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _set_deadline(connection: Any, record: ConnectionPoolEntry) -> None:
    deadline = record.info[_DEADLINE] = Deadline()
    connection.run_async(lambda driver: driver.set_progress_handler(deadline, INSTRUCTIONS_BETWEEN_CHECKS))


def _before_statement(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
    if statement != _BEGIN:
        _check_transaction(connection)
    connection.info[_DEADLINE].restart()


def _check_transaction(connection: Connection) -> None:
    """On a full disk, among others, SQLite rolls back by itself. What came after would be committed one by one."""
    driver_connection: Any = connection.connection.driver_connection
    if not driver_connection.in_transaction:
        raise OperationalError(None, None, sqlite3.OperationalError(TRANSACTION_LOST))


def _begin_immediate(connection: Connection) -> None:
    """Takes the write lock at the start: a deferred BEGIN that writes later fails with "database is locked"."""
    connection.exec_driver_sql(_BEGIN)


def _common() -> dict[str, Any]:
    return {
        **JSON_CODECS,
        "poolclass": FairPool,
        "hide_parameters": True,  # password hashes and sessions' secrets are among them, and errors are logged
    }
