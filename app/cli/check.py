"""``app check``: whether the service can run here, and with what."""

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import click
import msgspec

from app.asgi import DOMAINS, load_settings
from app.cli.process import with_throwaway_secret
from app.core import Core
from app.lib.cli.errors import CommandFailed, DatabaseUnusable
from app.lib.cli.options import json_option, write_list
from app.lib.cli.running import database_errors, schema_is_current
from app.lib.db import sqlite

_COLUMNS = {"CHECK": "name", "STATUS": "status", "FOUND": "found", "HINT": "hint"}


class Finding(msgspec.Struct, frozen=True):
    """``hint`` says what to do where the status is not ok."""

    name: str
    status: Literal["ok", "advice", "failed"]
    found: str
    hint: str | None = None


@click.command()
@json_option
def check(*, as_json: bool) -> None:
    """Check the settings, the database, its migrations and Redis. Fails when the service could not run."""
    settings = load_settings()[0]
    core = Core(with_throwaway_secret(settings), DOMAINS)
    findings = [Finding("settings", "ok", f"ENVIRONMENT={settings.environment}"), *asyncio.run(_findings(core))]
    write_list(findings, _COLUMNS, as_json=as_json)
    failed = {each.name for each in findings if each.status == "failed"}
    if failed:
        kind = DatabaseUnusable if "database" in failed else CommandFailed
        raise kind(f"The service cannot run: {', '.join(sorted(failed))}.")


async def _findings(core: Core) -> list[Finding]:
    await core.database.start()
    try:
        return [each async for each in _look(core)]
    finally:
        await core.database.close()


async def _look(core: Core) -> AsyncIterator[Finding]:
    url = core.settings.database
    if url.is_sqlite:
        yield _sqlite()
    if url.is_missing:
        yield Finding("database", "ok", f"{url.masked} is not there yet")
        yield Finding("migrations", "failed", "base", "Run 'app db upgrade'.")
    else:
        try:
            with database_errors(url):
                is_current = await schema_is_current(core.migrations, core.database.reader)
        except CommandFailed as exc:
            yield Finding("database", "failed", url.masked, exc.message)
        else:
            yield Finding("database", "ok", url.masked)
            hint = None if is_current else "Run 'app db upgrade'."
            yield Finding(
                "migrations", "failed" if hint else "ok", "behind" if hint else f"{core.migrations.head}", hint
            )
    if core.redis is not None:
        is_there = await core.redis.check()
        yield Finding("redis", "ok" if is_there else "advice", "REDIS_URL", None if is_there else "It does not answer.")


def _sqlite() -> Finding:
    version = ".".join(map(str, sqlite.VERSION))
    found = f"{version} of {'pysqlite3' if sqlite.sqlite3.__name__ == 'pysqlite3' else 'Python'}"
    if sqlite.is_sound():
        return Finding("sqlite", "ok", found)
    sound = ".".join(map(str, sqlite.SOUND_VERSION))
    return Finding(
        "sqlite", "advice", found, f"Use {sound} or newer, or PostgreSQL: this one may lose data (WAL-reset bug)."
    )
