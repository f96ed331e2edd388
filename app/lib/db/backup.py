"""Copies of a whole database, made while it is in use, and databases made from them."""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from app.lib.db.sqlite import sqlite3
from app.lib.db.url import DatabaseURL

_LIBPQ = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "database": "PGDATABASE",
    "ssl": "PGSSLMODE",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "servicefile": "PGSERVICEFILE",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
"""What PostgreSQL's own programs read from the environment, where no other user of the machine sees a password."""


class BackupError(Exception):
    """The text is for operators: one line, without secrets."""


def back_up(url: DatabaseURL, file: Path) -> None:
    """Writes a copy as of one moment: an SQLite file, or an archive of ``pg_dump``.

    It appears whole or not at all and is readable by its owner only. Raises ``BackupError`` and ``OSError``, such as
    ``FileExistsError``: a backup is not written over another.
    """
    with _appearing(file) as draft:
        if url.is_sqlite:
            _copy(url.path, draft)
        else:
            _run(url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={draft}")


def restore(url: DatabaseURL, file: Path) -> None:
    """Makes the database from a backup. The caller makes sure that a PostgreSQL database is empty.

    All of it or nothing is there afterwards. Raises ``BackupError``, ``FileNotFoundError`` without the backup, and
    ``FileExistsError`` for an SQLite file that is there.
    """
    if not file.is_file():
        raise FileNotFoundError(file)
    if not url.is_sqlite:
        name = (url.url.database or "").replace("\\", "\\\\").replace("'", "\\'")
        flags = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
        _run(url, "pg_restore", *flags, f"--dbname=dbname='{name}'" if name else "--dbname=", str(file))
        return
    for part in ("", "-wal", "-shm", "-journal"):
        if (left := url.path.with_name(url.path.name + part)).exists():
            raise FileExistsError(left)
    url.path.parent.mkdir(parents=True, exist_ok=True)
    with _appearing(url.path) as draft:
        _copy(file, draft)


@contextmanager
def _appearing(file: Path) -> Generator[Path]:
    """A file next to this one to write to, which becomes it at the end."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600, exist_ok=False)
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        os.link(draft, file)  # unlike a rename, it does not replace
    finally:
        draft.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """In one step of SQLite's backup API, which delays no writer and is not begun again when one writes."""
    try:
        original = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
        with closing(original), closing(sqlite3.connect(target)) as copy:
            original.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file
            ((found,),) = copy.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as exc:
        raise BackupError(f"{source}: {exc}") from exc
    if found != "ok":
        raise BackupError(f"{source}: {found}")


def _run(url: DatabaseURL, program: str, *arguments: str) -> None:
    path = shutil.which(program)
    if path is None:
        raise BackupError(f"{program} is not installed: PostgreSQL's client programs have it")
    given = {_LIBPQ[name]: value for name, value in url.connect_arguments.items() if name in _LIBPQ}
    environ = {name: ",".join(map(str, each)) if isinstance(each, list) else str(each) for name, each in given.items()}
    done = subprocess.run(  # noqa: S603 - the program of this name, with arguments of ours
        [path, "--no-password", *arguments], env=os.environ | environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = [re.sub(r"^\w+: (error|detail): ", "", line).rstrip(".") for line in done.stderr.splitlines()[:2]]
        raise BackupError("; ".join(said) or f"{program} ended with {done.returncode}")
