"""Database URLs, in the spellings that people use."""

from pathlib import Path
from typing import Self

import msgspec
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_POSTGRESQL = {"postgresql", "postgres", "postgresql+asyncpg"}
_SQLITE = {"sqlite", "sqlite+aiosqlite"}


class DatabaseURL(msgspec.Struct, frozen=True):
    """A parsed URL of one of the two databases that the service runs on."""

    url: URL

    @classmethod
    def parse(cls, text: str) -> Self:
        """Accepts ``sqlite``, ``sqlite+aiosqlite``, ``postgres``, ``postgresql``, ``postgresql+asyncpg``.

        ``sslmode=`` (libpq's word) is taken for asyncpg's ``ssl=``. Raises ``ValueError`` for anything else,
        and for an in-memory SQLite database, which readers and writer could not share.
        """
        try:
            url = make_url(text)
        except ArgumentError as exc:
            raise ValueError("expected a URL such as sqlite:///data/lodestar.db") from exc
        if url.drivername in _SQLITE:
            if not url.database or url.database == ":memory:":
                raise ValueError("an in-memory database cannot be shared; name a file: sqlite:///data/lodestar.db")
            return cls(url.set(drivername="sqlite+aiosqlite"))
        if url.drivername in _POSTGRESQL:
            query = dict(url.query)
            if mode := query.pop("sslmode", None):
                query["ssl"] = mode
            return cls(url.set(drivername="postgresql+asyncpg", query=query))
        raise ValueError("expected sqlite or postgresql")

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.url.drivername == "sqlite+aiosqlite"

    @property
    def directory(self) -> Path:
        """Where files that belong beside the database live."""
        return Path(self.url.database or "").parent if self.is_sqlite else Path("data")

    @property
    def masked(self) -> str:
        """The URL without its password, for people to read."""
        return self.url.render_as_string(hide_password=True)
