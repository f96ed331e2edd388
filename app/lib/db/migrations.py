"""Runs the migration history, from the command line and before the workers start."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, column, select, table, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.lib.db.base import metadata
from app.lib.db.engine import prepare_sqlite
from app.lib.db.prepared import prepare
from app.lib.db.reader import Reader
from app.lib.db.url import DatabaseURL

VERSION_TABLE = "alembic_version"
_ADVISORY_LOCK = 0x10DE57A2  # any number, as long as every starting server takes the same one

_revision = prepare(select(column("version_num", type_=None)).select_from(table(VERSION_TABLE)), str)


class Migrations:
    """The history in ``directory`` applied to the database at ``url``."""

    def __init__(self, url: DatabaseURL, directory: Path) -> None:
        self.url = url
        self.directory = directory

    @property
    def head(self) -> str | None:
        """The newest revision of the history."""
        return ScriptDirectory.from_config(self._config()).get_current_head()

    async def upgrade(self, revision: str = "head") -> None:
        """Migrates up. All revisions are one transaction, and servers that start together do it one at a time."""
        await self._run(command.upgrade, revision)

    async def downgrade(self, revision: str) -> None:
        """Migrates down to a revision, ``base`` or ``-1``."""
        await self._run(command.downgrade, revision)

    async def current(self) -> str | None:
        """The revision that the database is at, or None when it was never migrated."""
        engine = self._engine()
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())
        finally:
            await engine.dispose()

    async def differences(self) -> list[Any]:
        """What the models have and the migrated database has not, or the other way round; empty when in step."""
        engine = self._engine()
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(_compare)
        finally:
            await engine.dispose()

    async def generate(self, message: str) -> Path:
        """Writes a new revision from the difference between the models and the database."""
        engine = self._engine()
        try:
            async with engine.connect() as connection:
                script = await connection.run_sync(self._generate, message)
        finally:
            await engine.dispose()
        return Path(script.path)

    def _generate(self, connection: Connection, message: str) -> Any:
        config = self._config()
        config.attributes["connection"] = connection
        count = len(list(ScriptDirectory.from_config(config).walk_revisions()))
        return command.revision(config, message, autogenerate=True, rev_id=f"{count + 1:04}")

    async def _run(self, action: Any, revision: str) -> None:
        if self.url.is_sqlite:
            self.url.directory.mkdir(parents=True, exist_ok=True)
        engine = self._engine()
        try:
            async with engine.begin() as connection:
                if not self.url.is_sqlite:
                    await connection.execute(text("SET LOCAL lock_timeout = 0"))
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
                await connection.run_sync(self._apply, action, revision)
        finally:
            await engine.dispose()

    def _apply(self, connection: Connection, action: Any, revision: str) -> None:
        config = self._config()
        config.attributes["connection"] = connection
        action(config, revision)

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self.directory))
        config.set_main_option("path_separator", "os")
        return config

    def _engine(self) -> AsyncEngine:
        """One connection without the server's short timeouts: a migration may take its time."""
        engine = create_async_engine(self.url.url, poolclass=NullPool)
        if self.url.is_sqlite:
            prepare_sqlite(engine)
        return engine


async def applied_revision(reader: Reader) -> str | None:
    """The revision that the database is at, read through the service's own reader."""
    return await reader.first(_revision)


def _compare(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))
