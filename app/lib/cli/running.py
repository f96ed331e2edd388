"""Runs a command's work on a process of its own, and turns what the database says into one line."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from app.lib.cli.errors import CommandFailed, DatabaseUnusable, MissingOrTaken
from app.lib.db.faults import DATABASE_ERRORS, driver_error, sqlstate, to_app_error
from app.lib.db.migrations import VERSION_TABLE, MigrationFailed, Migrations, SchemaState, schema_state
from app.lib.db.reader import Reader
from app.lib.db.url import DatabaseURL
from app.lib.errors import AppError, Unavailable

T = TypeVar("T")

_MISSING_OR_TAKEN = {404, 409}
_ERRORS: tuple[type[Exception], ...] = (*DATABASE_ERRORS, AppError, OSError)


def make_core() -> Any:
    """The process's ``Core``, made by the function that the outermost command keeps in its context."""
    return click.get_current_context().find_root().obj()


def run(work: Callable[[Any], Awaitable[T]]) -> T:
    """Runs ``work(core)`` on a migrated database. Raises ``CommandFailed`` when it, or the database, refuses."""
    core = make_core()

    async def main() -> T:
        require_usable(await state_before(core))
        async with core.running():
            return await work(core)

    with database_errors(core.settings.database):
        return asyncio.run(main())


async def state_of(migrations: Migrations, reader: Reader) -> SchemaState:
    """Raises when the database cannot be reached."""
    never = SchemaState.of((), migrations.history, ())
    if migrations.url.is_missing:
        return never
    try:
        return await schema_state(reader, migrations.history)
    except DATABASE_ERRORS as exc:
        if VERSION_TABLE not in str(exc):
            raise
        return never


async def state_before(core: Any) -> SchemaState:
    """The state before the core runs, so that nothing else says first that the database is away."""
    await core.database.start()
    try:
        return await state_of(core.migrations, core.database.reader)
    finally:
        await core.database.close()


def require_usable(state: SchemaState) -> None:
    """Raises ``CommandFailed`` for a schema that this code does not work with."""
    if not state.is_usable:
        raise CommandFailed(state.value)


@contextmanager
def database_errors(url: DatabaseURL, setting: str = "DATABASE_URL") -> Generator[None]:
    """Turns what the database of this setting, or a service, raises into ``CommandFailed``."""
    try:
        yield
    except MigrationFailed as exc:
        raise CommandFailed(str(exc)) from exc
    except _ERRORS as exc:
        error = exc if isinstance(exc, AppError) else to_app_error(exc)
        cause = driver_error(exc)
        # PostgreSQL does not know the user, the password or the database.
        turned_away = (sqlstate(cause) or "")[:2] in {"28", "3D"}
        if isinstance(error, Unavailable) or isinstance(cause, OSError) or turned_away:
            number = cause.errno if isinstance(cause, OSError) else None  # below zero where a name was not found
            said = os.strerror(number) if number and number > 0 else str(cause).partition("\n")[0]
            reason = said or "it does not answer"
            message = f"The database {url.masked} cannot be used: {reason}."
            raise DatabaseUnusable(message, f"Check {setting} and that the database runs.") from exc
        if error is None:
            raise
        kind = MissingOrTaken if error.status in _MISSING_OR_TAKEN else CommandFailed
        names = [(field.pointer or "").rpartition("/")[2] or field.parameter or "value" for field in error.errors]
        fields = [f"{name}: {field.detail}" for name, field in zip(names, error.errors, strict=True)]
        raise kind(" ".join(fields) or error.detail) from exc
