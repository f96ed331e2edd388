"""``app db backup``, ``restore`` and ``verify``."""

import asyncio
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection, inspect, text

from app.asgi import load_settings
from app.core import MIGRATIONS, Core
from app.domain.audit.settings import AuditSettings
from app.lib.audit.verify import verify as verify_audit_log
from app.lib.cli.called import as_called
from app.lib.cli.errors import CommandFailed, MissingOrTaken
from app.lib.cli.options import json_option, write_json
from app.lib.cli.running import database_errors, run
from app.lib.db.backup import BackupError, back_up
from app.lib.db.backup import restore as restore_from
from app.lib.db.migrations import Migrations
from app.lib.events.positions import go_on_after_restored_events
from app.lib.security.resealing import count_unreadable

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
def backup(file: Path) -> None:
    """Copy the whole database into FILE while the service runs. PostgreSQL needs pg_dump.

    The key that seals secrets is not in it: keep SECRET_KEY in another place.
    """
    settings, _ = load_settings()
    url = settings.migration_database
    if url.is_missing:
        raise MissingOrTaken(f"There is no database at {url.path}.")
    if not url.is_sqlite:
        with database_errors(url, settings.migration_setting):
            asyncio.run(Migrations(url, MIGRATIONS).current())
    _make(file, lambda: back_up(url, file))
    click.echo(f"{file} has the database, {file.stat().st_size} bytes.")
    key = "SECRET_KEY" if settings.secret_key else str(url.directory / "secret_key")
    click.echo(f"Keep {key} as well, in another place: without it no sealed secret can be opened.", err=True)


@click.command()
@click.argument("file", type=_FILE)
def restore(file: Path) -> None:
    """Make the database from FILE, which `app db backup` has written. It must not be there yet, or be empty.

    PostgreSQL needs pg_restore. `app db verify` then says whether all is well.
    """
    settings, _ = load_settings()
    url = settings.migration_database
    migrations = Migrations(url, MIGRATIONS)
    if not url.is_sqlite:
        with database_errors(url, settings.migration_setting):
            if asyncio.run(migrations.read(lambda connection: inspect(connection).get_table_names())):
                raise MissingOrTaken(f"The database {url.masked} is not empty.", "Restore into a new one.")
    _make(url.path, lambda: restore_from(url, file))
    with database_errors(url, settings.migration_setting):
        if not url.is_sqlite:
            asyncio.run(migrations.read(go_on_after_restored_events))
        click.echo(as_called(f"The database is at {asyncio.run(migrations.current())}. Now run 'app db verify'."))


@click.command()
@json_option
def verify(*, as_json: bool) -> None:
    """Verify that all rows can be read, all sealed secrets opened, and that the audit log is as it was written."""
    found = run(_verify)
    if as_json:
        write_json(found)
    if failed := [name for name, value in found.items() if value]:
        said = "; ".join(f"{name}: {found[name]}" for name in failed)
        raise CommandFailed(f"The database is not as it should be: {said}.")
    if not as_json:
        click.echo("All rows can be read and all secrets opened, and the audit log is as it was written.")


async def _verify(core: Core) -> dict[str, Any]:
    report = await verify_audit_log(core.database.reader, core.services.get(AuditSettings).days)
    unreadable = await count_unreadable(core.database, core.sealer)
    return {
        "rows": await core.migrations.read(_read_all),
        "secrets": f"{unreadable} cannot be opened by any key" if unreadable else None,
        "audit_log": f"{report.wrong} findings, see 'app audit verify'" if report.wrong else None,
    }


def _read_all(connection: Connection) -> str | None:
    """What is wrong with the pages and rows."""
    if connection.dialect.name == "sqlite":
        ((found,),) = connection.execute(text("PRAGMA integrity_check(1)")).all()
        broken = connection.execute(text("PRAGMA foreign_key_check")).first()
        return str(found) if found != "ok" else "references to rows that are gone" if broken else None
    quote = connection.dialect.identifier_preparer.quote
    for name in inspect(connection).get_table_names():
        connection.execute(text(f"SELECT sum(length(each::text)) FROM {quote(name)} AS each"))  # noqa: S608 - own name
    return None


def _make(file: Path, work: Any) -> None:
    try:
        work()
    except BackupError as exc:
        raise CommandFailed(f"{exc}.") from exc
    except FileNotFoundError as exc:
        raise MissingOrTaken(f"There is no file {file}.") from exc
    except FileExistsError as exc:
        raise MissingOrTaken(f"{exc.filename2 or exc} is there already.", "Move it away, or name another.") from exc
    except OSError as exc:
        raise CommandFailed(f"{file}: {exc.strerror}.") from exc
