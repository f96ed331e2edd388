"""The two ways to a database: one engine that writes, one reader beside it."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.lib.db.reader import Driver, PostgreSQLDriver, Reader, SQLiteDriver
from app.lib.db.uow import UnitOfWork
from app.lib.db.url import DatabaseURL
from app.lib.signals import Signals

POSTGRESQL_POOL_TIMEOUT = 5.0
SQLITE_POOL_TIMEOUT = 30.0
SQLITE_READERS = 4

_SERVER_SETTINGS = {
    "application_name": "lodestar",
    "statement_timeout": "5000",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",
    "jit": "off",  # it only ever costs where statements take milliseconds
}


class DatabaseOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``pool_size`` counts PostgreSQL connections of this process: so many for reads, so many for writes."""

    url: DatabaseURL
    pool_size: int = 10
    echo: bool = False
    pooler: bool = False


class Database:
    """Engine, session maker and reader of one database, for the life of a process."""

    def __init__(self, options: DatabaseOptions, signals: Signals | None = None) -> None:
        self.options = options
        self.signals = signals or Signals()
        self.url = options.url
        self.engine, self._driver = _sqlite(options) if self.url.is_sqlite else _postgresql(options)
        self.reader = Reader(self._driver)
        self.sessions = async_sessionmaker(self.engine, class_=AsyncSession, expire_on_commit=False)

    def busy_readers(self) -> int:
        """Connections that read at the moment."""
        return self._driver.busy

    async def start(self) -> None:
        """Readies the reader. Opens no connection, so a service may start before its database."""
        await self._driver.start()

    async def close(self) -> None:
        """Closes every connection."""
        await self._driver.close()
        await self.engine.dispose()

    @asynccontextmanager
    async def independent(self) -> AsyncGenerator[UnitOfWork]:
        """A transaction of its own: it stays although the request that caused it is refused.

        For failed sign-ins, reuse detection and audits of denials. Never open one while the request's own unit of
        work has written: SQLite has one writer, and the two would wait for each other.
        """
        async with self.sessions() as session:
            unit = UnitOfWork(session, self.signals.emit)
            try:
                yield unit
            except BaseException:
                await unit.rollback()
                raise
            else:
                await unit.commit()


def _postgresql(options: DatabaseOptions) -> tuple[AsyncEngine, Driver]:
    arguments: dict[str, Any] = {"timeout": 3, "command_timeout": 5, "server_settings": _SERVER_SETTINGS}
    engine_arguments = dict(arguments)
    if options.pooler:
        # Startup parameters other than these few are refused by PgBouncer, and named statements do not survive it.
        arguments["server_settings"] = engine_arguments["server_settings"] = {"application_name": "lodestar"}
        arguments["statement_cache_size"] = engine_arguments["statement_cache_size"] = 0
        engine_arguments["prepared_statement_cache_size"] = 0
        engine_arguments["prepared_statement_name_func"] = lambda: f"__asyncpg_{uuid4()}__"
    engine = create_async_engine(
        options.url.url,
        echo=options.echo,
        pool_size=options.pool_size,
        max_overflow=0,
        pool_timeout=POSTGRESQL_POOL_TIMEOUT,
        pool_recycle=1800,
        connect_args=engine_arguments,
        **_json(),
    )
    driver = PostgreSQLDriver(
        _connect_arguments(options.url.url) | arguments,
        options.pool_size,
        acquire_timeout=POSTGRESQL_POOL_TIMEOUT,
        pooled=options.pooler,
    )
    return engine, driver


def _connect_arguments(url: URL) -> dict[str, Any]:
    """What SQLAlchemy would hand to asyncpg, less the options that only its own dialect knows."""
    arguments = url.get_dialect()().create_connect_args(url)[1]
    own = {"prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback"}
    return {key: value for key, value in arguments.items() if key not in own}


def _sqlite(options: DatabaseOptions) -> tuple[AsyncEngine, Driver]:
    path = Path(options.url.url.database or "")
    engine = create_async_engine(
        options.url.url,
        echo=options.echo,
        pool_size=1,
        max_overflow=0,
        pool_timeout=SQLITE_POOL_TIMEOUT,
        connect_args={"timeout": 15},
        **_json(),
    )
    prepare_sqlite(engine)
    return engine, SQLiteDriver(path, SQLITE_READERS, acquire_timeout=SQLITE_POOL_TIMEOUT)


def prepare_sqlite(engine: AsyncEngine) -> None:
    """Makes every connection of an engine a safe one: WAL, foreign keys, and the write lock at BEGIN."""
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin_immediate)


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 must not begin transactions of its own
    cursor = connection.cursor()
    # FULL keeps acknowledged commits through a power cut; NORMAL could lose the last ones.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    """Takes the write lock at the start: a deferred BEGIN that writes later fails with "database is locked"."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _json() -> dict[str, Any]:
    return {
        "json_serializer": _encode_json,
        "json_deserializer": msgspec.json.decode,
    }


def _encode_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
