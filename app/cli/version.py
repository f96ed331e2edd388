"""``app version``: what runs here, for a report of a fault."""

import platform
import subprocess
from pathlib import Path

import click

from app.config import Settings
from app.core import MIGRATIONS, VERSION
from app.lib.cli.options import json_option, write_json, write_table
from app.lib.db.migrations import Migrations

ROOT = Path(__file__).parents[2]


@click.command()
@json_option
def version(*, as_json: bool) -> None:
    """Show the version, the git revision where it is known, Python, the newest migration and the platform.

    It needs no settings and no database.
    """
    found = {
        "version": VERSION,
        "revision": _revision(),
        "python": platform.python_version(),
        "migration": Migrations(Settings().migration_database, MIGRATIONS).head,
        "platform": platform.platform(),
    }
    if as_json:
        write_json(found)
    else:
        write_table(("NAME", "VALUE"), [(name, value or "unknown") for name, value in found.items()])


def _revision() -> str | None:
    """Of the checkout, with `-dirty` where a file has changed, or what the image was built from."""
    if (file := ROOT / "REVISION").is_file():
        return file.read_text().strip() or None
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    except OSError:  # without git
        return None
    return done.stdout.strip() or None
