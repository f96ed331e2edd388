"""Database: engines, models, units of work, reads and migrations."""

from app.lib.db import sqlite as sqlite  # isort: skip - before anything that imports sqlite3
