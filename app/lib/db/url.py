"""Database URLs, in the spellings that people use."""

import getpass
import os
from pathlib import Path
from typing import Any, Self

import msgspec
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.lib.db import sqlite
from app.lib.settings import check_credentials

_POSTGRESQL = {"postgresql", "postgres", "postgresql+asyncpg"}
_SQLITE = {"sqlite", "sqlite+aiosqlite"}
# What asyncpg takes and cannot do harm; anything else would fail at every connection instead of at the start.
_OPTIONS = {"host", "port", "ssl", "passfile", "service", "servicefile", "target_session_attrs"}
_CERTIFICATES = {"sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "sslcrl": "PGSSLCRL"}
_INSTEAD = {name: f" and set {variable}" for name, variable in _CERTIFICATES.items()} | {
    "pgbouncer": " and set DATABASE_POOLER=true",
    "connection_limit": " and set DATABASE_POOL_SIZE",
    "channel_binding": ", which the driver cannot do",
}
"""What does the same as an option of other programs, by its name."""
_WITHOUT_EFFECT = {("channel_binding", "prefer"), ("channel_binding", "disable"), ("pgbouncer", "false")}
_MAX_PORT = 65_535
_TLS_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}


class DatabaseURL(msgspec.Struct, frozen=True):
    """A parsed URL of one of the two databases that the service runs on."""

    url: URL

    @classmethod
    def parse(cls, text: str) -> Self:
        """Accepts ``sqlite``, ``sqlite+aiosqlite``, ``postgres``, ``postgresql``, ``postgresql+asyncpg``.

        ``sslmode=`` (libpq's word) is taken for asyncpg's ``ssl=``. Raises ``ValueError`` for anything else,
        for an in-memory SQLite database, which readers and writer could not share, and for SQLite where that of
        this process is too old. Its text never repeats any part of the URL, which may hold a password.
        """
        check_credentials(text)
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            raise ValueError(
                "expected a URL such as sqlite:///data/app.db or postgresql://user:password@host/name,"
                " with special characters percent-encoded"
            ) from None
        if url.drivername in _POSTGRESQL:
            return cls(_check_postgresql(url.set(drivername="postgresql+asyncpg")))
        if url.drivername not in _SQLITE:
            raise ValueError("expected sqlite or postgresql")
        if not url.database or ":memory:" in url.database or url.database.startswith("file:"):
            raise ValueError("an in-memory database cannot be shared; name a file: sqlite:///data/app.db")
        if url.host or url.username or url.port:
            raise ValueError("a file needs three slashes: sqlite:///data/app.db, or four for an absolute path")
        if url.query or "?" in text:  # without "=" it is no query, and would be cut off
            raise ValueError("an SQLite file takes no options")
        if sqlite.VERSION < sqlite.MINIMUM_VERSION:
            needed, found = (".".join(map(str, each)) for each in (sqlite.MINIMUM_VERSION, sqlite.VERSION))
            raise ValueError(f"SQLite {needed} or newer is needed, and this Python has {found}; use PostgreSQL instead")
        return cls(url.set(drivername="sqlite+aiosqlite"))

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.url.drivername == "sqlite+aiosqlite"

    @property
    def is_missing(self) -> bool:
        """Whether this is an SQLite file that does not exist, as far as one can see. To open it would make it."""
        try:
            return self.is_sqlite and not self.path.exists()
        except OSError:
            return False

    @property
    def path(self) -> Path:
        """The file of an SQLite database."""
        return Path(self.url.database or "")

    @property
    def directory(self) -> Path:
        """Where files that belong to the database live."""
        return self.path.parent if self.is_sqlite else Path("data")

    @property
    def connect_arguments(self) -> dict[str, Any]:
        """What asyncpg connects with: hosts, ports, names and options."""
        return dict(self.url.get_dialect()().create_connect_args(self.url)[1])

    @property
    def masked(self) -> str:
        """The URL without its password, for people to read."""
        return self.url.render_as_string(hide_password=True)

    def __repr__(self) -> str:
        return f"DatabaseURL({self.masked})"


def _check_postgresql(url: URL) -> URL:
    query = {name: value for name, value in url.query.items() if (name, value) not in _WITHOUT_EFFECT}
    if mode := query.pop("sslmode", None):
        query["ssl"] = mode
    if isinstance(password := query.pop("password", None), str):
        url = url.set(password=password)  # where everybody hides it
    if unknown := sorted(query.keys() - _OPTIONS):
        raise ValueError(
            f"leave out the option {unknown[0]}{_INSTEAD.get(unknown[0], '')}; known are sslmode,"
            f" {', '.join(sorted(_OPTIONS - {'ssl'}))}"
        )
    if "ssl" in query and query["ssl"] not in _TLS_MODES:
        raise ValueError("sslmode is one of disable, allow, prefer, require, verify-ca and verify-full")
    url = url.set(query=query)
    try:
        _ = url.username or os.environ.get("PGUSER") or query.get("service") or getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        raise ValueError("its user has to be named: postgresql://user:password@host/name") from None
    try:
        port: Any = url.get_dialect()().create_connect_args(url)[1].get("port")
        numbers = [int(each) for each in (port if isinstance(port, list) else [port]) if each is not None]
    except (ArgumentError, ValueError):
        raise ValueError("its hosts and ports do not fit together") from None
    if url.port == 0 or not all(0 < each <= _MAX_PORT for each in numbers):
        raise ValueError(f"a port is a number from 1 to {_MAX_PORT}")
    return url
