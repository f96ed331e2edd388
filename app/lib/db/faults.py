"""What a database error means to a client: its own mistake, a conflict, or a fault that passes."""

import re
import sqlite3
from typing import Any

import asyncpg
from advanced_alchemy.exceptions import RepositoryError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from app.lib.errors import AppError, Conflict, Duplicate, FieldCode, FieldError, Unavailable, ValidationFailed

DATABASE_ERRORS: tuple[type[Exception], ...] = (
    RepositoryError,
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    sqlite3.Error,
)
"""Everything that a driver, SQLAlchemy or advanced-alchemy raises."""

_UNIQUE, _FOREIGN_KEY = "23505", "23503"
_BAD_VALUE = {"23502", "23514", "22001", "22003", "22021", "22P02", "22P05", "22007", "22008"}
# Serialization, deadlock, lock and statement timeouts, a schema that is not migrated yet; then whole classes:
# connection (08), resources (53), operator intervention (57), system (58), disk and internal (XX).
_PASSING = {"40001", "40P01", "55P03", "55006", "25P03", "25006", "42P01", "42703"}
_PASSING_CLASSES = ("08", "53", "57", "58", "XX")
_RETRYABLE = {"40001", "40P01", "55P03"}

# By its words, because the driver reports extended result codes only where they were switched on.
_SQLITE_UNIQUE = "UNIQUE constraint failed: "
_SQLITE_FOREIGN_KEY = "FOREIGN KEY constraint failed"
_SQLITE_PASSING = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "SQLITE_READONLY",
    "SQLITE_INTERRUPT",
    "SQLITE_NOMEM",
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
)


def to_app_error(exc: BaseException) -> AppError | None:  # noqa: PLR0911 - one line per kind reads best
    """The error to answer with, or None when it is a bug of ours (and so a 500)."""
    if isinstance(exc, PoolTimeout):
        return Unavailable("All database connections are busy.")
    if _find(exc, StaleDataError) is not None:
        return Conflict("Somebody else changed this at the same moment. Read it again and repeat the change.")
    driver = driver_error(exc)
    if isinstance(driver, sqlite3.Error):
        return _from_sqlite(driver)
    if (state := sqlstate(driver)) is not None:
        return _from_sqlstate(state)
    if isinstance(driver, (asyncpg.InterfaceError, OSError, TimeoutError)):
        return Unavailable("The database cannot be reached.")
    if isinstance(driver, OverflowError):
        return _bad_value()
    return None


def driver_error(exc: BaseException) -> BaseException:
    """The driver's own error under SQLAlchemy's and advanced-alchemy's wrapping."""
    wrapped = _find(exc, DBAPIError)
    if wrapped is None or wrapped.orig is None:
        return exc
    original: BaseException = wrapped.orig
    return original.__cause__ or original


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
    """Whether somebody else held a lock for longer than we wait."""
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


def _find(exc: BaseException | None, kind: type[Any]) -> Any:
    seen = 0
    while exc is not None and seen < 8:  # noqa: PLR2004 - a chain this deep is a loop
        if isinstance(exc, kind):
            return exc
        exc, seen = exc.__cause__ or exc.__context__, seen + 1
    return None


def _from_sqlstate(state: str) -> AppError | None:
    if state == _UNIQUE:
        return Duplicate()
    if state == _FOREIGN_KEY:
        return Conflict("Something else still refers to this, or what it refers to is gone.")
    if state in _BAD_VALUE:
        return _bad_value()
    if state in _PASSING or state.startswith(_PASSING_CLASSES):
        return Unavailable()
    return None


def _from_sqlite(exc: sqlite3.Error) -> AppError | None:
    name = _sqlite_name(exc)
    if str(exc).startswith(_SQLITE_UNIQUE):
        return Duplicate()
    if str(exc).startswith(_SQLITE_FOREIGN_KEY):
        return Conflict("Something else still refers to this, or what it refers to is gone.")
    if name.startswith(("SQLITE_CONSTRAINT", "SQLITE_TOOBIG")):
        return _bad_value()
    # A missing table or column is a schema that is not migrated yet; readiness says so.
    if name.startswith(_SQLITE_PASSING) or str(exc).startswith(("no such table", "no such column")):
        return Unavailable()
    return None


def _sqlite_name(exc: sqlite3.Error) -> str:
    return str(getattr(exc, "sqlite_errorname", ""))


def _bad_value() -> ValidationFailed:
    error = FieldError(pointer="", code=FieldCode.INVALID_FORMAT, detail="A value cannot be stored as it is.")
    return ValidationFailed([error])
