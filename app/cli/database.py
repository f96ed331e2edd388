"""``app db``: the migration history and the database."""

import asyncio
import time
from collections.abc import Coroutine, Generator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import click
from alembic.util import CommandError

from app.asgi import load_settings
from app.cli.backup import backup, restore, verify
from app.cli.scaffold.formatting import require_ruff, tidy
from app.core import MIGRATIONS
from app.lib.cli.called import say
from app.lib.cli.errors import CommandFailed, DatabaseUnusable, MissingOrTaken
from app.lib.cli.options import confirm, json_option, write_json, yes_option
from app.lib.cli.running import database_errors, require_usable
from app.lib.db.migrations import Migrations, SchemaState

T = TypeVar("T")

ROOT = Path(__file__).parents[2]


@click.group()
def database() -> None:
    """Migrate the database at DATABASE_DIRECT_URL, or else DATABASE_URL."""


database.add_command(backup)
database.add_command(restore)
database.add_command(verify)


@database.command()
@click.argument("revision", default="head")
@click.option(
    "--wait",
    type=click.IntRange(0, 3600),
    default=0,
    metavar="SECONDS",
    help="Wait at most this long for a database that cannot be used yet; then the exit code is 4.",
)
def upgrade(revision: str, wait: int) -> None:
    """Migrate up to REVISION (default: head)."""
    migrations = _migrations()
    state = _state_within(wait, migrations)
    if revision == "head" and state is not SchemaState.BEHIND:
        require_usable(state)
        if state is SchemaState.NEWER:
            say(f"{state.value} Nothing was migrated. {_way_out(migrations)}".strip())
            return
    _run(migrations, migrations.upgrade(revision))
    click.echo(f"The database is at {_run(migrations, migrations.current())}.")


@database.command(context_settings={"ignore_unknown_options": True})
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Really, in production too: downgrades drop tables and columns.")
def downgrade(revision: str, *, yes: bool) -> None:
    """Migrate down to REVISION, `-1` for one step, or `base`."""
    if load_settings()[0].is_production and not yes:
        raise CommandFailed("A downgrade drops data.", "Repeat with --yes to do it in production.")
    migrations = _migrations()
    if hint := _way_out(migrations):
        raise MissingOrTaken(_unknown_here(migrations), hint)
    _run(migrations, migrations.downgrade(revision))
    click.echo(f"The database is at {_run(migrations, migrations.current()) or 'base'}.")


@database.command()
@yes_option
def reset(*, yes: bool) -> None:
    """Delete all that is in the development database, and migrate up. Stop the service before.

    Production refuses it.
    """
    settings = load_settings()[0]
    if settings.is_production:
        raise CommandFailed("A reset deletes all data, which production refuses.")
    migrations = _migrations()
    if not yes:
        confirm(f"Delete all data of {migrations.url.masked}?")
    _run(migrations, migrations.reset())
    _run(migrations, migrations.upgrade())
    click.echo(f"The database is at {_run(migrations, migrations.current())}.")
    say("It is empty: 'app seed' fills it with demo data.")


@database.command()
@click.option("--message", "-m", required=True, help="What it does, in a few words.")
def revision(message: str) -> None:
    """Write a new migration from the difference between models and database. Read it before you commit it."""
    if not any(each.isprintable() and not each.isspace() for each in message):
        raise click.BadParameter("say in a few words what it does.", param_hint="'--message'")
    require_ruff()
    migrations = _migrations()
    if (state := _run(migrations, migrations.state())) is not SchemaState.CURRENT:
        hint = _way_out(migrations)
        raise CommandFailed(_unknown_here(migrations) if hint else state.value, hint)
    if not _run(migrations, migrations.differences()):
        click.echo("Models and database have no difference, so the migration does nothing yet.", err=True)
    with redirect_stdout(StringIO()):  # alembic describes what it does; only the path is of use
        path, warnings = _run(migrations, migrations.generate(message))
    tidy(ROOT, [path])
    for each in warnings:
        click.echo(each, err=True)
    click.echo(path)


@database.command()
def merge() -> None:
    """Write a migration that follows the newest ones of two branches, which were written apart."""
    require_ruff()
    migrations = _migrations()
    with redirect_stdout(StringIO()), _errors(migrations):
        path = migrations.merge()
    if path is not None:
        tidy(ROOT, [path])
    click.echo(path or "There is one newest migration, so there is nothing to merge.", err=path is None)


@database.command()
@json_option
def current(*, as_json: bool) -> None:
    """Show the database's revision and the newest one."""
    migrations = _migrations()
    applied, head = _applied(migrations), migrations.head
    if as_json:
        write_json({"revision": applied, "head": head, "is_current": applied == head})
    else:
        click.echo(f"{applied or 'base'} ({'head' if applied == head else f'head is {head}'})")


@database.command()
@json_option
def check(*, as_json: bool) -> None:
    """Fail unless the database is at head and has exactly what the models have: a line for each difference."""
    migrations = _migrations()
    state = _run(migrations, migrations.state())
    applied, head = _applied(migrations), migrations.head
    differences = _run(migrations, migrations.differences()) if state is SchemaState.CURRENT else []
    if as_json:
        write_json({"revision": applied, "head": head, "differences": differences})
    else:
        click.echo("".join(f"{each}\n" for each in differences), nl=False)
    if state is not SchemaState.CURRENT:
        hint = f"{state.value} {_way_out(migrations)}".strip()
        raise CommandFailed(f"The database is at {applied or 'base'}, head is {head}.", hint)
    if differences:
        raise CommandFailed(
            f"Models and database differ ({len(differences)}).",
            "Run 'app db revision -m \"what it is for\"' and read what it writes.",
        )
    if not as_json:
        click.echo(f"The database is at {head} and has what the models have.")


def _migrations() -> Migrations:
    return Migrations(load_settings()[0].migration_database, MIGRATIONS)


def _unknown_here(migrations: Migrations) -> str:
    unknown = ", ".join(_run(migrations, migrations.unknown()))
    return f"The database is at {unknown}, which is not in migrations/versions here: of another branch, or newer."


def _way_out(migrations: Migrations) -> str:
    """Of a database that another branch has migrated; nothing when this checkout knows all its migrations."""
    if not _run(migrations, migrations.unknown()):
        return ""
    if load_settings()[0].is_production:
        return "The release that has it can downgrade: 'app db current' shows the head of this one."
    return (
        "Switch to the branch that has it and run 'app db downgrade -1' there for each of its migrations, "
        "or delete all data and start again: 'app db reset'."
    )


def _state_within(seconds: int, migrations: Migrations) -> SchemaState:
    """Asks every second until the database answers. Raises ``DatabaseUnusable`` when that takes longer."""
    until, is_waiting = time.monotonic() + seconds, False
    while True:
        try:
            return _run(migrations, migrations.state())
        except DatabaseUnusable as exc:
            if time.monotonic() >= until:
                raise
            if not is_waiting:
                click.echo(f"Waiting up to {seconds} s. {exc.message}", err=True)
            is_waiting = True
        time.sleep(min(1, max(0, until - time.monotonic())))


def _applied(migrations: Migrations) -> str | None:
    return None if migrations.url.is_missing else _run(migrations, migrations.current())


def _run(migrations: Migrations, work: Coroutine[Any, Any, T]) -> T:
    with _errors(migrations):
        return asyncio.run(work)


@contextmanager
def _errors(migrations: Migrations) -> Generator[None]:
    with database_errors(migrations.url, load_settings()[0].migration_setting):
        try:
            yield
        except CommandError as exc:
            text = str(exc).rstrip(".") + "."
            if "locate revision" in text or "No such revision" in text:
                raise MissingOrTaken(text, "'app db current' shows where the database is.") from exc
            raise CommandFailed(text) from exc
