"""Runs the migration history, from the command line and before the workers start."""

import re
import sqlite3
from collections.abc import Callable, Collection, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, String, Table, column, event, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.lib.db.base import metadata
from app.lib.db.engine import prepare_postgresql, prepare_sqlite
from app.lib.db.prepared import prepare
from app.lib.db.reader import Reader
from app.lib.db.url import DatabaseURL
from app.lib.errors import Conflict

T = TypeVar("T")

VERSION_TABLE = "alembic_version"
_ADVISORY_LOCK = 0x10DE57A2  # any number, as long as every starting server takes the same one

_FULL_TEXT = re.compile(r"(?:ix_\w+_)?fts_")

breaking_migrations = Table("breaking_migrations", metadata, Column("revision", String(32), primary_key=True))
"""The migrations that were applied and say ``breaks_older_code = True``; ``migrations/env.py`` writes them."""

_revision = prepare(select(column("version_num", type_=None)).select_from(table(VERSION_TABLE)), str)
_breaking = prepare(select(breaking_migrations.c.revision), str)


class SchemaState(Enum):
    """What the database's schema is to this code; the value is what to say about it."""

    BEHIND = "The database schema is not up to date: run 'app db upgrade'."
    CURRENT = ""
    NEWER = "The database schema is newer than this release, which works with it."
    TOO_NEW = (
        "The database schema is of a newer release, and this one does not work with it: deploy that release, "
        "or run its 'app db downgrade' to this one's head."
    )

    @property
    def is_usable(self) -> bool:
        return self in {SchemaState.CURRENT, SchemaState.NEWER}

    @classmethod
    def of(cls, revision: str | None, history: Sequence[str], breaking: Collection[str]) -> "SchemaState":
        """``history`` is every revision that the code knows, the newest first."""
        if revision is None or revision in history[1:]:
            return cls.BEHIND
        if revision in history[:1]:
            return cls.CURRENT
        return cls.NEWER if set(breaking) <= set(history) else cls.TOO_NEW


class Migrations:
    """The history in ``directory`` applied to the database at ``url``."""

    def __init__(self, url: DatabaseURL, directory: Path) -> None:
        self.url = url
        self.directory = directory

    @property
    def head(self) -> str | None:
        """The newest revision of the history."""
        return ScriptDirectory.from_config(self._config()).get_current_head()

    @property
    def history(self) -> tuple[str, ...]:
        """Every revision that this code knows, the newest first."""
        return tuple(each.revision for each in ScriptDirectory.from_config(self._config()).walk_revisions())

    async def upgrade(self, revision: str = "head") -> None:
        """Migrates up. All revisions are one transaction, so a failing one leaves nothing behind; and servers that
        start together do it one at a time. Raises ``Conflict`` when rows would refer to rows that are gone (SQLite).
        """
        await self._run(command.upgrade, revision)

    async def downgrade(self, revision: str) -> None:
        """Migrates down to a revision, ``base`` or ``-1``."""
        await self._run(command.downgrade, revision)

    async def current(self) -> str | None:
        """The revision that the database is at, or None when it was never migrated."""
        return await self.read(lambda connection: MigrationContext.configure(connection).get_current_revision())

    async def state(self) -> SchemaState:
        """Before the service's own reader is there."""

        def ask(connection: Connection) -> SchemaState:
            revision, history = MigrationContext.configure(connection).get_current_revision(), self.history
            is_unknown = revision is not None and revision not in history
            breaking = connection.scalars(select(breaking_migrations.c.revision)).all() if is_unknown else ()
            return SchemaState.of(revision, history, breaking)

        return SchemaState.BEHIND if self.url.is_missing else await self.read(ask)

    async def differences(self) -> list[Any]:
        """What the models have and the migrated database has not, or the other way round; empty when in step."""

        def compare(connection: Connection) -> list[Any]:
            context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_modelled})
            return list(compare_metadata(context, metadata))

        return await self.read(compare)

    async def generate(self, message: str) -> Path:
        """Writes a new revision from the difference between the models and the database."""
        number = f"{len(self.history) + 1:04}"
        script: Any = await self.read(
            lambda connection: command.revision(self._config(connection), message, autogenerate=True, rev_id=number)
        )
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
                await connection.run_sync(lambda sync: action(self._config(sync), revision))
                broken = await connection.execute(text("PRAGMA foreign_key_check")) if self.url.is_sqlite else None
                if tables := sorted({str(row[0]) for row in broken or ()}):
                    names = ", ".join(tables)
                    raise Conflict(f"The migration was undone: rows of {names} would refer to rows that are gone.")
        finally:
            await engine.dispose()

    def _config(self, connection: Connection | None = None) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self.directory).replace("%", "%%"))  # else it is interpolated
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        return config

    def _engine(self) -> AsyncEngine:
        """One connection without the server's short timeouts: a migration may take its time."""
        engine = create_async_engine(self.url.url, poolclass=NullPool)
        if self.url.is_sqlite:
            prepare_sqlite(engine)
            event.listen(engine.sync_engine, "connect", _ignore_references)
        else:
            prepare_postgresql(engine)
        return engine


async def applied_revision(reader: Reader) -> str | None:
    """The revision that the database is at, read through the service's own reader."""
    return await reader.first(_revision)


async def schema_state(reader: Reader, history: Sequence[str]) -> SchemaState:
    """The same as :meth:`Migrations.state`, through the service's own reader."""
    revision = await applied_revision(reader)
    is_unknown = revision is not None and revision not in history
    return SchemaState.of(revision, history, await reader.all(_breaking) if is_unknown else ())


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
