import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import product
from typing import Any

import asyncpg
import pytest
from advanced_alchemy.exceptions import RepositoryError
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from app.lib.db.base import new_id, table_of
from app.lib.db.engine import Database
from app.lib.db.faults import (
    DATABASE_ERRORS,
    DatabaseUnavailable,
    driver_error,
    is_lock_timeout,
    is_retryable,
    sqlstate,
    to_app_error,
    violated_columns,
)
from app.lib.errors import AppError, Conflict, Duplicate, NotFound, Unavailable, ValidationFailed
from tests.lib.db.conftest import Run
from tests.lib.db.toys import ON_POSTGRESQL, ON_SQLITE, Box, Marble, Toy
from tests.support.each import each

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def error_of(work: Awaitable[object]) -> Exception:
    """What the work raises, which must be an error that the handlers know as the database's."""
    with pytest.raises(DATABASE_ERRORS) as caught:
        await work
    return caught.value


Transact = Callable[..., Awaitable[None]]


@pytest.fixture
def transact(toys: Database, run: Run) -> Transact:
    """Runs statements in one transaction, through a session or prepared."""

    async def work(*statements: Any) -> None:
        async with toys.independent() as unit:
            for statement in statements:
                await run(unit, statement)

    return work


ENTITY: dict[str, Any] = {"created_at": NOW, "updated_at": NOW, "version": 1}


def toy(**values: Any) -> Any:
    defaults = {"id": new_id(), "colour": "red", "size": 0, "is_new": True, "name": "x"}
    return insert(table_of(Toy)).values(**defaults | ENTITY | values)


def box(label: str = "b", **values: Any) -> Any:
    return insert(table_of(Box)).values(**{"id": new_id(), "label": label} | ENTITY | values)


def marble() -> Any:
    return insert(table_of(Marble)).values(id=new_id(), label="a", colour="blue", **ENTITY)


def set_toys(**values: Any) -> Any:
    return update(table_of(Toy)).values(updated_at=NOW, **values)


async def test_a_duplicate_names_its_column(transact: Transact) -> None:
    exc = await error_of(transact(box(), box()))

    assert type(to_app_error(exc)) is Duplicate
    assert violated_columns(exc) == {"label"}


async def test_a_duplicate_of_two_columns_names_both(transact: Transact) -> None:
    exc = await error_of(transact(marble(), marble()))

    assert type(to_app_error(exc)) is Duplicate
    assert violated_columns(exc) == {"label", "colour"}


async def test_a_duplicate_key_is_a_duplicate_too(transact: Transact) -> None:
    same = box("a")
    exc = await error_of(transact(same, same.values(label="b")))

    assert type(to_app_error(exc)) is Duplicate
    assert violated_columns(exc) == {"id"}


@pytest.mark.parametrize("statements", [[toy(box_id=new_id())], [set_toys(box_id=new_id())]])
async def test_a_reference_to_nothing_is_a_conflict(transact: Transact, statements: list[Any]) -> None:
    await transact(toy())

    exc = await error_of(transact(*statements))

    assert type(to_app_error(exc)) is Conflict
    assert violated_columns(exc) == frozenset()


async def test_deleting_what_is_referred_to_is_a_conflict(transact: Transact) -> None:
    item_id = new_id()
    await transact(box(id=item_id), toy(box_id=item_id))

    exc = await error_of(transact(delete(table_of(Box))))

    assert type(to_app_error(exc)) is Conflict


@pytest.mark.parametrize(
    "values",
    [{"name": None}, {"size": -1}, {"size": 2**63}, {"size": -(2**70)}, {"name": "\udc80"}],
    ids=["null", "check", "beyond 64 bits", "far below", "surrogate"],
)
async def test_a_value_that_cannot_be_stored_is_the_clients_mistake(transact: Transact, values: dict[str, Any]) -> None:
    exc = await error_of(transact(toy(**values)))

    error = to_app_error(exc)
    assert isinstance(error, ValidationFailed)
    assert [(e.pointer, e.code.value) for e in error.errors] == [("", "invalid_format")]


@ON_POSTGRESQL
@pytest.mark.parametrize(
    "values", [{"name": "x" * 21}, {"size": 2**31}, {"name": "a\0b"}], ids=["too long", "beyond 32 bits", "NUL"]
)
async def test_postgresql_refuses_more(transact: Transact, values: dict[str, Any]) -> None:
    exc = await error_of(transact(toy(**values)))

    assert isinstance(to_app_error(exc), ValidationFailed)


@ON_POSTGRESQL
async def test_a_value_of_the_wrong_type_is_a_bug_of_ours(transact: Transact) -> None:
    exc = await error_of(transact(toy(name=5)))

    assert "expected str, got int" in str(driver_error(exc))
    assert to_app_error(exc) is None


@ON_POSTGRESQL
async def test_hostile_text_cannot_pass_for_a_bug(transact: Transact) -> None:
    exc = await error_of(transact(toy(name="\udc80 (expected str, got int)")))

    assert isinstance(to_app_error(exc), ValidationFailed)


async def test_a_table_that_is_not_migrated_yet_is_unavailable(transact: Transact) -> None:
    for statement in ("SELECT 1 FROM nowhere", "SELECT weight FROM toys"):
        exc = await error_of(transact(text(statement)))
        assert type(to_app_error(exc)) is Unavailable


async def test_a_statement_that_is_wrong_is_a_bug(transact: Transact) -> None:
    exc = await error_of(transact(text("SELEKT 1")))

    assert to_app_error(exc) is None
    assert not is_retryable(exc)


async def test_a_concurrent_change_is_a_conflict(toys: Database, transact: Transact) -> None:
    item_id = new_id()
    await transact(toy(id=item_id))

    async def overtaken() -> None:
        async with AsyncSession(toys.engine, expire_on_commit=False) as session:
            found = await session.get_one(Toy, item_id)
            await session.commit()
            await transact(set_toys(version=Toy.version + 1))
            found.name = "y"
            await session.flush()

    exc = await error_of(overtaken())

    assert isinstance(exc, StaleDataError)
    assert type(to_app_error(exc)) is Conflict


def wrapped(inner: BaseException, outer: Exception) -> Exception:
    """``raise outer from inner``."""
    outer.__cause__ = inner
    return outer


def test_a_pool_timeout_under_a_wrapping_is_unavailable() -> None:
    exc = wrapped(PoolTimeout("QueuePool limit"), RepositoryError())

    assert isinstance(to_app_error(PoolTimeout("QueuePool limit")), DatabaseUnavailable)
    assert isinstance(to_app_error(exc), DatabaseUnavailable)
    assert isinstance(to_app_error(wrapped(StaleDataError(), RepositoryError())), Conflict)


POSTGRESQL_CODES = {
    "40001": Unavailable,
    "40P01": Unavailable,
    "55P03": Unavailable,
    "55000": Unavailable,
    "55006": Unavailable,
    "55P02": Unavailable,
    "08001": Unavailable,
    "08P01": Unavailable,
    "28000": Unavailable,
    "53400": Unavailable,
    "57P02": Unavailable,
    "57P04": Unavailable,
    "57P05": Unavailable,
    "57014": Unavailable,
    "57P01": Unavailable,
    "57P03": Unavailable,
    "53100": Unavailable,
    "53300": Unavailable,
    "08006": Unavailable,
    "25006": Unavailable,
    "25P03": Unavailable,
    "28P01": Unavailable,
    "3D000": Unavailable,
    "58030": Unavailable,
    "XX001": Unavailable,
    "42P01": Unavailable,
    "23505": Duplicate,
    "23503": Conflict,
    "23001": Conflict,
    "23502": ValidationFailed,
    "23514": ValidationFailed,
    "22001": ValidationFailed,
    "22003": ValidationFailed,
    "22P02": ValidationFailed,
    "42601": None,
    "42501": None,
    "42883": None,
    "22012": None,
    "25P02": None,
}


@each(product(POSTGRESQL_CODES, [False, True]))
def test_postgresqls_codes(case: tuple[str, bool]) -> None:
    code, wrap = case
    exc: Exception = asyncpg.PostgresError("words")
    exc.sqlstate = code  # type: ignore[attr-defined]  # as the driver sets it
    if wrap:
        exc = DBAPIError("SELECT 1", None, wrapped(exc, Exception("adapter")))

    error = to_app_error(exc)

    assert (type(error) if error else None) is POSTGRESQL_CODES[code]
    assert sqlstate(driver_error(exc)) == code
    assert is_retryable(exc) == (code in {"40001", "40P01", "55P03"})
    assert is_lock_timeout(exc) == (code == "55P03")


SQLITE_NAMES = {
    "SQLITE_BUSY": Unavailable,
    "SQLITE_BUSY_SNAPSHOT": Unavailable,
    "SQLITE_LOCKED": Unavailable,
    "SQLITE_FULL": Unavailable,
    "SQLITE_IOERR_WRITE": Unavailable,
    "SQLITE_CANTOPEN": Unavailable,
    "SQLITE_READONLY_DBMOVED": Unavailable,
    "SQLITE_INTERRUPT": Unavailable,
    "SQLITE_CORRUPT": Unavailable,
    "SQLITE_NOTADB": Unavailable,
    "SQLITE_CONSTRAINT_CHECK": ValidationFailed,
    "SQLITE_TOOBIG": ValidationFailed,
    "SQLITE_ERROR": None,
    "SQLITE_MISUSE": None,
}


@each(product(SQLITE_NAMES, [False, True]))
def test_sqlites_codes(case: tuple[str, bool]) -> None:
    name, wrap = case
    exc: Exception = sqlite3.OperationalError("words")
    exc.sqlite_errorname = name  # type: ignore[attr-defined]  # as the driver sets it
    if wrap:
        exc = OperationalError("SELECT 1", None, exc)

    error = to_app_error(exc)

    assert (type(error) if error else None) is SQLITE_NAMES[name]
    assert is_retryable(exc) == name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    assert is_lock_timeout(exc) == is_retryable(exc)


@pytest.mark.parametrize(
    "exc",
    [
        FileNotFoundError(2, "No such file", "template.html"),
        PermissionError(13, "Permission denied", "avatar.png"),
        TimeoutError(),
        ConnectionRefusedError(111, "Connection refused"),
        OverflowError("too large"),
        UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogate"),
        RuntimeError(),
        KeyError("x"),
    ],
)
def test_errors_that_the_database_did_not_raise_are_bugs(exc: Exception) -> None:
    assert to_app_error(exc) is None
    assert not isinstance(exc, DATABASE_ERRORS)


@pytest.mark.parametrize("inner", [TimeoutError(), ConnectionResetError(104, "reset"), FileNotFoundError(2, "socket")])
def test_what_the_engine_wrapped_is_the_databases(inner: OSError) -> None:
    inner.__cause__ = asyncio.CancelledError()  # as a timeout of asyncio's has it
    exc = OperationalError(None, None, inner)

    assert driver_error(exc) is inner
    assert isinstance(to_app_error(exc), DatabaseUnavailable)


@pytest.mark.parametrize(
    ("exc", "kind"),
    [
        (asyncpg.InterfaceError("connection is closed"), DatabaseUnavailable),
        (asyncpg.InterfaceError("pool is closing"), DatabaseUnavailable),
        (asyncpg.InterfaceError("cannot perform operation: another operation is in progress"), None),
        (asyncpg.InvalidCachedStatementError("cached plan must not change result type"), Unavailable),
        (asyncpg.OutdatedSchemaCacheError("cached schema"), Unavailable),
        (asyncpg.TargetServerAttributeNotMatched("no primary"), DatabaseUnavailable),
        (asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"), Unavailable),
        (asyncpg.InternalClientError("a bug of the driver"), None),
    ],
)
def test_what_asyncpg_says_itself(exc: Exception, kind: type[AppError] | None) -> None:
    error = to_app_error(exc)

    assert isinstance(exc, DATABASE_ERRORS)
    assert (type(error) if error else None) is kind


def test_errors_of_the_application_are_themselves() -> None:
    error = NotFound()

    assert to_app_error(error) is error


def test_the_drivers_words_never_reach_a_client() -> None:
    exc = IntegrityError("INSERT …", None, sqlite3.IntegrityError("UNIQUE constraint failed: users.email_key"))
    error = to_app_error(exc)

    assert error is not None
    assert "email_key" not in error.detail


@ON_SQLITE
async def test_the_driver_names_its_errors(transact: Transact) -> None:
    """Everything above relies on it."""
    exc = driver_error(await error_of(transact(box(), box())))

    assert getattr(exc, "sqlite_errorname", "").startswith("SQLITE_CONSTRAINT")


@ON_POSTGRESQL
async def test_a_deadlock_is_worth_another_try(toys: Database, transact: Transact, run: Run) -> None:
    await transact(toy(name="a"), toy(name="b"))
    meeting = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        async with toys.independent() as unit:
            await run(unit, set_toys(size=1).where(Toy.name == first))
            await meeting.wait()
            await run(unit, set_toys(size=1).where(Toy.name == second))

    outcomes = await asyncio.gather(lock("a", "b"), lock("b", "a"), return_exceptions=True)

    (exc,) = [outcome for outcome in outcomes if outcome is not None]
    assert sqlstate(driver_error(exc)) == "40P01"
    assert is_retryable(exc)
    assert isinstance(to_app_error(exc), Unavailable)


@ON_POSTGRESQL
async def test_a_serialization_failure_is_worth_another_try(toys: Database, transact: Transact) -> None:
    await transact(toy())
    strict = toys.engine.execution_options(isolation_level="REPEATABLE READ")

    async def overtaken() -> None:
        async with strict.begin() as connection:
            await connection.execute(text("SELECT size FROM toys"))
            await transact(set_toys(size=5))
            await connection.execute(update(Toy).values(size=Toy.size + 1))

    exc = await error_of(overtaken())

    assert sqlstate(driver_error(exc)) == "40001"
    assert is_retryable(exc)
