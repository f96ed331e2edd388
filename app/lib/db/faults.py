"""What a database error means to a client: its own mistake, a conflict, or a fault that passes."""

import re
import sqlite3
from collections.abc import Callable
from typing import Any

import asyncpg
from advanced_alchemy.exceptions import NotFoundError, RepositoryError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from app.lib.errors import AppError, Conflict, Duplicate, FieldCode, FieldError, NotFound, Unavailable, ValidationFailed

_ASYNCPG = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

UNBINDABLE = (OverflowError, UnicodeEncodeError)
"""What sqlite3 raises, next to its own errors, for a value that it cannot take: too large, or a lone surrogate."""

TRANSACTION_LOST = "the transaction was rolled back by SQLite"


class DatabaseUnavailable(Unavailable):
    """The reader cannot reach the database or get a connection in time. ``__cause__`` is what the driver said."""

    detail = "The database cannot be reached."


DATABASE_ERRORS: tuple[type[Exception], ...] = (
    DatabaseUnavailable,
    RepositoryError,
    SQLAlchemyError,
    *_ASYNCPG,
    sqlite3.Error,
)
"""Everything that a driver, SQLAlchemy or advanced-alchemy raises.

A bare ``OSError`` is not among them: the engine and the reader wrap those of the network, so that one of our own
(a file that is missing) is never taken for a database that is down.
"""

_UNIQUE = "23505"
_REFERENCES = {"23001", "23503"}
_BAD_VALUE = {"22000", "23502", "23514", "22001", "22003", "22021", "22P02", "22P05", "22007", "22008"}
# Serialization, deadlock, lock and statement timeouts, a schema that is not migrated yet; then whole classes:
# connection (08), refused sign-in (28), no such database (3D), resources (53), not in the state for it (55: locks, a
# database that takes no connections), operator intervention (57), system (58), disk and internal (XX).
_PASSING = {"40001", "40P01", "25P03", "25006", "42P01", "42703"}
_PASSING_CLASSES = ("08", "28", "3D", "53", "55", "57", "58", "XX")
_RETRYABLE = {"40001", "40P01", "55P03"}
_CANNOT_CONNECT = (asyncpg.TargetServerAttributeNotMatched, asyncpg.ClientConfigurationError)
_SCHEMA_CHANGED = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
_MISTYPED = re.compile(r"\(expected [^()]+, got [^()]+\)$")

# By its words, because the driver reports extended result codes only where they were switched on.
_SQLITE_UNIQUE = "UNIQUE constraint failed: "
_SQLITE_FOREIGN_KEY = "FOREIGN KEY constraint failed"
# A schema that is not migrated yet; and what follows once SQLite has rolled back by itself, as it does on a full disk.
_SQLITE_PASSING_WORDS = re.compile(
    rf"no such (table|column|savepoint): |table \w+ has no column named |{TRANSACTION_LOST}"
)
_SQLITE_PASSING = (
    "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY",
    "SQLITE_INTERRUPT", "SQLITE_NOMEM", "SQLITE_CORRUPT", "SQLITE_NOTADB",
)  # fmt: skip


_REFERRED_TO = "Something else still refers to this, or what it refers to is gone."

_ABOVE_THE_DRIVER: tuple[tuple[type[Exception], Callable[[], AppError]], ...] = (
    (NotFoundError, NotFound),
    (PoolTimeout, lambda: DatabaseUnavailable("All database connections are busy.")),
    (StaleDataError, lambda: Conflict("Another request changed this at the same moment. Read it again and repeat it.")),
)


def to_app_error(exc: BaseException) -> AppError | None:
    """The error to answer with, or None when it is a bug of ours (and so a 500)."""
    if isinstance(exc, AppError):
        return exc
    for kind, answer in _ABOVE_THE_DRIVER:
        if _find(exc, kind) is not None:
            return answer()
    driver = driver_error(exc)
    if isinstance(driver, _ASYNCPG):
        return _from_asyncpg(driver)
    if isinstance(driver, sqlite3.Error):
        return _from_sqlite(driver)
    # The engine wraps what it knows of Python's own errors; the others are ours.
    if driver is not exc and isinstance(driver, OSError):
        return DatabaseUnavailable()
    return _bad_value() if driver is not exc and isinstance(driver, UNBINDABLE) else None


def is_passing(exc: BaseException) -> bool:
    """Whether it is no bug: the network, or what the database cannot do at the moment."""
    error = to_app_error(exc)
    return isinstance(exc, OSError) or (error is not None and error.status >= 500)  # noqa: PLR2004 - faults of servers


def driver_error(exc: BaseException) -> BaseException:
    """The driver's own error under SQLAlchemy's, advanced-alchemy's and our own wrapping."""
    wrapped = _find(exc, DBAPIError)
    if wrapped is None or wrapped.orig is None:
        return exc.__cause__ or exc if isinstance(exc, DatabaseUnavailable) else exc
    original: BaseException = wrapped.orig
    # SQLAlchemy's asyncpg adapter raises errors of its own from those of asyncpg.
    return original.__cause__ if isinstance(original.__cause__, _ASYNCPG) else original


def sqlstate(exc: BaseException) -> str | None:
    """PostgreSQL's five-letter code, where there is one."""
    state: Any = getattr(exc, "sqlstate", None)
    return state if isinstance(state, str) else None


def is_retryable(exc: BaseException) -> bool:
    """Whether the same transaction, run again, may well succeed: deadlock, serialization, lock timeout, busy."""
    driver = driver_error(exc)
    if isinstance(driver, sqlite3.Error):
        return _sqlite_name(driver).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    return sqlstate(driver) in _RETRYABLE


def is_lock_timeout(exc: BaseException) -> bool:
    """Whether another transaction held a lock for longer than we wait."""
    driver = driver_error(exc)
    return sqlstate(driver) == "55P03" or (isinstance(driver, sqlite3.Error) and is_retryable(exc))


def violated_columns(exc: BaseException) -> frozenset[str]:
    """The columns of the unique constraint that was violated; empty when it was something else."""
    driver = driver_error(exc)
    if isinstance(driver, asyncpg.UniqueViolationError):
        match = re.match(r"Key \((.+?)\)=", driver.detail or "")
        return frozenset(part.strip() for part in match[1].split(",")) if match else frozenset()
    if isinstance(driver, sqlite3.Error) and str(driver).startswith(_SQLITE_UNIQUE):
        columns = str(driver).removeprefix(_SQLITE_UNIQUE)
        return frozenset(part.strip().rpartition(".")[2] for part in columns.split(","))
    return frozenset()


def refers_to_missing(exc: BaseException, table: str) -> bool:
    """Whether a row refers to one of this table that does not exist. SQLite does not say which table it is: ask only
    where no other row can be missing.
    """
    driver = driver_error(exc)
    if isinstance(driver, asyncpg.ForeignKeyViolationError):
        return f'is not present in table "{table}"' in (driver.detail or "")
    return isinstance(driver, sqlite3.Error) and str(driver).startswith(_SQLITE_FOREIGN_KEY)


def _find(exc: BaseException | None, kind: type[Any]) -> Any:
    seen = 0
    while exc is not None and seen < 8:  # noqa: PLR2004 - a chain this deep is a loop
        if isinstance(exc, kind):
            return exc
        exc, seen = exc.__cause__ or exc.__context__, seen + 1
    return None


def _from_asyncpg(exc: BaseException) -> AppError | None:
    text = str(exc)
    # The connection is closed, closing, or about to be: the server's last message has only been half read.
    if isinstance(exc, asyncpg.InternalClientError):
        is_lost = "cannot switch to state" in text
    else:
        is_lost = isinstance(exc, asyncpg.InterfaceError) and "clos" in text
    if isinstance(exc, _SCHEMA_CHANGED) or is_lost or isinstance(exc, _CANNOT_CONNECT):
        return Unavailable() if isinstance(exc, _SCHEMA_CHANGED) else DatabaseUnavailable()
    state = sqlstate(exc)
    if state is None or (state == "22000" and _MISTYPED.search(text)):
        return None  # what asyncpg itself objects to is our mistake, unless it is about the value
    if state == _UNIQUE:
        return Duplicate()
    if state in _REFERENCES:
        return Conflict(_REFERRED_TO)
    if state in _BAD_VALUE:
        return _bad_value()
    return Unavailable() if state in _PASSING or state.startswith(_PASSING_CLASSES) else None


def _from_sqlite(exc: sqlite3.Error) -> AppError | None:
    name, text = _sqlite_name(exc), str(exc)
    if text.startswith(_SQLITE_UNIQUE):
        return Duplicate()
    if text.startswith(_SQLITE_FOREIGN_KEY):
        return Conflict(_REFERRED_TO)
    if name.startswith(("SQLITE_CONSTRAINT", "SQLITE_TOOBIG")) or isinstance(exc, sqlite3.DataError):
        return _bad_value()
    return Unavailable() if name.startswith(_SQLITE_PASSING) or _SQLITE_PASSING_WORDS.match(text) else None


def _sqlite_name(exc: sqlite3.Error) -> str:
    return str(getattr(exc, "sqlite_errorname", ""))


def _bad_value() -> ValidationFailed:
    error = FieldError(pointer="", code=FieldCode.INVALID_FORMAT, detail="A value cannot be stored as it is.")
    return ValidationFailed([error])
