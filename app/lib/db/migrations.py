"""Runs the migration history, from the command line and before the workers start."""

import re
import sqlite3
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from traceback import extract_tb
from typing import Any, NamedTuple, TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, String, Table, column, event, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.lib.clock import utc_now
from app.lib.db.base import metadata
from app.lib.db.differences import drop_children_first, in_words, stopped_by_rows
from app.lib.db.engine import prepare_postgresql, prepare_sqlite
from app.lib.db.faults import DATABASE_ERRORS, DatabaseUnavailable, driver_error, to_app_error
from app.lib.db.prepared import prepare
from app.lib.db.reader import Reader
from app.lib.db.url import DatabaseURL

T = TypeVar("T")

VERSION_TABLE = "alembic_version"
_ADVISORY_LOCK = 0x10DE57A2  # any number, as long as every starting server takes the same one

_UNDONE = "Nothing was changed."

_FULL_TEXT = re.compile(r"(?:ix_\w+_)?fts_")

breaking_migrations = Table("breaking_migrations", metadata, Column("revision", String(32), primary_key=True))
"""The migrations that were applied and say ``breaks_older_code = True``; ``migrations/env.py`` writes them."""

_revision = prepare(select(column("version_num", type_=None)).select_from(table(VERSION_TABLE)), str)
_breaking = prepare(select(breaking_migrations.c.revision), str)


class History(NamedTuple):
    """The migrations that this code knows: the newest, usually one, and all."""

    heads: tuple[str, ...]
    revisions: frozenset[str]


class Written(NamedTuple):
    """A new revision, and what to know about it before it runs on rows."""

    path: Path
    warnings: list[str]


class MigrationFailed(Exception):
    """A migration is wrong or does not fit the rows. The text names the file, the line, the reason and what is left."""


class SchemaState(Enum):
    """What the database's schema is to this code; the value is what to say about it."""

    FORKED = "The migrations have two newest ones, of two branches: run 'app db merge'."

    BEHIND = "The database schema is not up to date: run 'app db upgrade'."
    CURRENT = ""
    NEWER = "The database schema is newer than this release, which works with it."
    TOO_NEW = (
        "The database schema is of a newer release, and this one does not work with it: deploy that release, "
        "or downgrade with that one to the head that 'app db current' shows here."
    )

    @property
    def is_usable(self) -> bool:
        return self in {SchemaState.CURRENT, SchemaState.NEWER}

    @classmethod
    def of(cls, applied: Collection[str], history: History, breaking: Collection[str]) -> "SchemaState":
        """Of a database with these newest migrations; between two branches it has more than one."""
        if len(history.heads) > 1:
            return cls.FORKED
        if set(applied) == set(history.heads):
            return cls.CURRENT
        if history.revisions.issuperset(applied):
            return cls.BEHIND
        return cls.NEWER if history.revisions.issuperset(breaking) else cls.TOO_NEW


class Migrations:
    """The history in ``directory`` applied to the database at ``url``."""

    def __init__(self, url: DatabaseURL, directory: Path) -> None:
        self.url = url
        self.directory = directory

    @property
    def head(self) -> str | None:
        """The newest revision of the history; all of them where it has branches."""
        return ", ".join(self.history.heads) or None

    @property
    def history(self) -> History:
        with self._failures():
            script = ScriptDirectory.from_config(self._config())
            revisions = frozenset(each.revision for each in script.walk_revisions())
            return History(tuple(sorted(script.get_heads())), revisions)

    async def upgrade(self, revision: str = "head") -> None:
        """Migrates up. All revisions are one transaction, so a failing one leaves nothing behind; and servers that
        start together do it one at a time. Raises ``MigrationFailed``.
        """
        await self._run(command.upgrade, revision)

    async def downgrade(self, revision: str) -> None:
        """Migrates down to a revision, ``base`` or ``-1``."""
        await self._run(command.downgrade, revision)

    async def reset(self) -> None:
        """Leaves an empty database: no tables, rows, functions or history."""
        if self.url.is_sqlite:
            for suffix in ("", "-wal", "-shm"):
                self.url.path.with_name(self.url.path.name + suffix).unlink(missing_ok=True)
            return
        engine = self._engine()
        try:
            async with engine.begin() as connection:
                await _wait_for_turn(connection)
                schema = await connection.scalar(text("SELECT quote_ident(current_schema())"))
                await connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
                await connection.execute(text(f"CREATE SCHEMA {schema}"))
        finally:
            await engine.dispose()

    async def unknown(self) -> list[str]:
        """The newest revisions of the database that this history has not: of a newer release, or of another branch."""
        applied = () if self.url.is_missing else await self.read(_applied)
        return [each for each in applied if each not in self.history.revisions]

    async def current(self) -> str | None:
        """The revision that the database is at, or None when it was never migrated. Between branches it has several."""
        return ", ".join(await self.read(_applied)) or None

    async def state(self) -> SchemaState:
        """Before the service's own reader is there."""

        def ask(connection: Connection) -> SchemaState:
            applied, history = _applied(connection), self.history
            is_unknown = not history.revisions.issuperset(applied)
            breaking = connection.scalars(select(breaking_migrations.c.revision)).all() if is_unknown else ()
            return SchemaState.of(applied, history, breaking)

        if self.url.is_missing:
            return SchemaState.of((), self.history, ())
        return await self.read(ask)

    async def differences(self) -> list[str]:
        """What the models have and the migrated database has not, or the other way round: a line for each place."""

        def compare(connection: Connection) -> list[str]:
            context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_modelled})
            return in_words(compare_metadata(context, metadata), connection.dialect)

        return await self.read(compare)

    async def generate(self, message: str) -> Written:
        """Writes a new revision from the difference between the models and the database."""
        warnings: list[str] = []

        def process(context: object, revision: object, scripts: list[Any]) -> None:
            drop_children_first(context, revision, scripts)
            warnings.extend(stopped_by_rows(scripts[0]))

        script: Any = await self.read(
            lambda connection: command.revision(
                self._config(connection),
                " ".join("".join(each if each.isprintable() else " " for each in message).split()),
                autogenerate=True,
                rev_id=_new_name(),
                process_revision_directives=process,
            )
        )
        return Written(Path(script.path), warnings)

    def merge(self) -> Path | None:
        """Writes a revision that follows the newest ones of all branches; None where there is one only."""
        heads = self.history.heads
        if len(heads) < 2:  # noqa: PLR2004 - a branch and another
            return None
        script: Any = command.merge(self._config(), heads, "merge", rev_id=_new_name())
        return Path(script.path)

    async def read(self, ask: Callable[[Connection], T]) -> T:
        """What ``ask`` finds, on a connection of its own without the service's short timeouts."""
        engine = self._engine()
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(ask)
        finally:
            await engine.dispose()

    async def _run(self, action: Any, revision: str) -> None:
        if self.url.is_sqlite:
            self.url.directory.mkdir(parents=True, exist_ok=True)
            self.url.path.touch(mode=0o600)  # it holds password hashes
        engine = self._engine()
        try:
            async with engine.begin() as connection:
                if not self.url.is_sqlite:
                    await _wait_for_turn(connection)
                with self._failures():
                    await connection.run_sync(lambda sync: action(self._config(sync), revision))
                broken = await connection.execute(text("PRAGMA foreign_key_check")) if self.url.is_sqlite else None
                if tables := sorted({str(row[0]) for row in broken or ()}):
                    names = ", ".join(tables)
                    raise MigrationFailed(f"Rows of {names} would refer to rows that are gone. {_UNDONE}")
        finally:
            await engine.dispose()

    @contextmanager
    def _failures(self) -> Generator[None]:
        """Names the migration in which something is raised. A lost connection is the database's fault."""
        try:
            yield
        except Exception as exc:
            frames = [(each.filename, each.lineno) for each in extract_tb(exc.__traceback__)]
            if isinstance(exc, SyntaxError):
                frames.append((exc.filename or "", exc.lineno))
            places = [(Path(name), line) for name, line in frames if Path(name).parent == self.directory / "versions"]
            if not places or isinstance(to_app_error(exc), DatabaseUnavailable):
                raise
            cause, (path, line) = driver_error(exc), places[-1]
            kind = "" if isinstance(cause, DATABASE_ERRORS) else f"{type(cause).__name__}: "
            reason = str(cause).partition("\n")[0].rstrip(".")
            raise MigrationFailed(f"Migration {path.name} failed in line {line}: {kind}{reason}. {_UNDONE}") from exc

    def _config(self, connection: Connection | None = None) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self.directory).replace("%", "%%"))  # else it is interpolated
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        return config

    def _engine(self) -> AsyncEngine:
        """One connection without the server's short timeouts: a migration may take its time."""
        answers_within = {} if self.url.is_sqlite else {"timeout": 10}
        engine = create_async_engine(self.url.url, poolclass=NullPool, connect_args=answers_within)
        if self.url.is_sqlite:
            prepare_sqlite(engine)
            event.listen(engine.sync_engine, "connect", _ignore_references)
        else:
            prepare_postgresql(engine)
        return engine


async def schema_state(reader: Reader, history: History) -> SchemaState:
    """The same as :meth:`Migrations.state`, through the service's own reader."""
    applied = await reader.all(_revision)
    is_unknown = not history.revisions.issuperset(applied)
    return SchemaState.of(applied, history, await reader.all(_breaking) if is_unknown else ())


def _applied(connection: Connection) -> tuple[str, ...]:
    return tuple(sorted(MigrationContext.configure(connection).get_current_heads()))


def _new_name() -> str:
    """By the time, so that two that are written apart do not have one name."""
    return utc_now().strftime("%Y%m%d%H%M%S")


async def _wait_for_turn(connection: AsyncConnection) -> None:
    """Servers that start together migrate one at a time, for as long as that takes.

    A table that is in use is waited for only briefly, because all others queue behind the one that waits.
    """
    await connection.execute(text("SET LOCAL statement_timeout = 0"))
    await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    await connection.execute(text("SET LOCAL lock_timeout = 0"))
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    await connection.execute(text("SET LOCAL lock_timeout = '5s'"))


def _ignore_references(connection: sqlite3.Connection, _record: object) -> None:
    """SQLite changes a table by making it again, and dropping the old one would delete all that refers to its rows."""
    connection.execute("PRAGMA foreign_keys=OFF")


def is_modelled(name: str | None, kind: str, parents: Any) -> bool:
    """Whether the models know of something in the database (alembic's ``include_name``).

    Full-text indexes are made differently by each database, so they are the migrations' own: all that has ``fts_`` in
    its name, or is an index on such a column.
    """
    del kind, parents
    return name is None or not _FULL_TEXT.match(name)
