"""Puts a current SQLite under Python's ``sqlite3`` name.

The SQLite that comes with Python may be older than 3.51.3 and then has the WAL-reset bug, which can corrupt a
database. ``pysqlite3`` bundles a current one. It has to take the names before ``aiosqlite`` and SQLAlchemy's
dialect import them, so ``app/lib/db/__init__.py`` imports this module first.
"""

import importlib
import importlib.util
import sys

MINIMUM_VERSION = (3, 51, 3)

# Where there is no wheel for the platform the standard library's SQLite serves, with a warning at start.
sqlite3 = importlib.import_module("pysqlite3" if importlib.util.find_spec("pysqlite3") else "sqlite3")

if sqlite3.__name__ == "pysqlite3":
    sys.modules["sqlite3"] = sqlite3
    sys.modules["sqlite3.dbapi2"] = importlib.import_module("pysqlite3.dbapi2")

VERSION: tuple[int, ...] = tuple(int(part) for part in str(sqlite3.sqlite_version).split("."))
"""The version of the SQLite library in use."""


def is_current() -> bool:
    """Whether the SQLite in use is free of the WAL-reset bug."""
    return VERSION >= MINIMUM_VERSION
