"""Puts a current SQLite under Python's ``sqlite3`` name.

The SQLite that comes with Python may have the WAL-reset bug, which can corrupt a database. ``pysqlite3`` bundles a
current one. Where it has no wheel, such as on ARM64 Linux, Python's own serves, with a warning at the start when it has
the bug. It has to take the names before ``aiosqlite`` and SQLAlchemy's
dialect import them, so ``app/lib/db/__init__.py`` imports this module first.
"""

import importlib
import importlib.util
import math
import sys
import time
from pathlib import Path

MINIMUM_VERSION = (3, 40)
"""The oldest that the tests run on: Debian 12's."""
SOUND_VERSION = (3, 51, 3)
"""The first without the WAL-reset bug."""
STATEMENT_SECONDS = 5.0
INSTRUCTIONS_BETWEEN_CHECKS = 100_000

sqlite3 = importlib.import_module("pysqlite3" if importlib.util.find_spec("pysqlite3") else "sqlite3")

if sqlite3.__name__ == "pysqlite3":
    sys.modules["sqlite3"] = sqlite3
    sys.modules["sqlite3.dbapi2"] = importlib.import_module("pysqlite3.dbapi2")

VERSION: tuple[int, ...] = tuple(int(part) for part in str(sqlite3.sqlite_version).split("."))
"""The version of the SQLite library in use."""


def is_sound() -> bool:
    """Whether the SQLite in use is free of the WAL-reset bug."""
    return VERSION >= SOUND_VERSION


class SafelyClosed(sqlite3.Connection):  # type: ignore[misc, name-defined]  # of whichever module serves
    """A connection (``connect(factory=…)``) that ends its transaction when it is closed. Else Python's own module keeps
    the transaction, and its lock, for as long as there is a cursor, such as in the traceback of an error.
    """

    def close(self) -> None:
        if self.in_transaction:
            self.rollback()
        super().close()


def identity_of(path: Path) -> tuple[int, int] | None:
    """Which file is at the path at the moment: one that was removed or replaced is another. None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Deadline:
    """Ends statements that take too long, as PostgreSQL's ``statement_timeout`` does: a progress handler.

    :meth:`restart` it before each statement. The statement then fails with ``SQLITE_INTERRUPT``.
    """

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at = math.inf

    def restart(self) -> None:
        """Gives the next statement its five seconds."""
        self._at = time.monotonic() + STATEMENT_SECONDS

    def expire(self) -> None:
        """Ends the statement that runs, because no caller waits for it any more."""
        self._at = -math.inf

    def __call__(self) -> int:
        """Not zero when time is up."""
        return int(time.monotonic() > self._at)
