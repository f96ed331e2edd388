"""What ``app serve`` does once its settings are good: migrate, say where everything is, serve."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import click
import structlog

from app.asgi import DOMAINS, create_app, load_settings
from app.cli.checks import missing_default_role, missing_mail
from app.cli.configuration import check_connections, connections_in_words, most_connections, setting_kinds
from app.config import Settings
from app.core import API, Core
from app.domain.accounts.services.queries import AccountQueries
from app.domain.system.settings import SystemSettings
from app.environment import misspelt_names, with_secret_key
from app.lib.cli.called import as_called, say
from app.lib.cli.errors import DatabaseUnusable
from app.lib.cli.running import database_errors, require_usable, state_of
from app.lib.db import sqlite
from app.lib.db.engine import allow_pauses
from app.lib.db.migrations import SchemaState
from app.lib.observability.logging import configure_logging
from app.lib.pagination.parameters import PageRequest
from app.lib.ratelimit.limiter import counted_as
from app.lib.serving.debugging import run_debugged
from app.lib.serving.server import ServerOptions, run_server

log = structlog.stdlib.get_logger(__name__)


def start(listeners: list[socket.socket], on_ready: Callable[[], None] | None, *, reload: bool, debug: bool) -> None:
    """Serves until the process is asked to end. Raises ``CommandFailed`` and ``ConfigurationError``."""
    settings = with_secret_key(load_settings()[0])
    configure_logging(settings.effective_log_level, settings.log_format)
    if debug:
        allow_pauses()
    lines = ["breakpoint() opens the debugger here."] if debug else []
    _announce(settings, [*asyncio.run(_prepare(settings)), *lines])
    if debug:
        run_debugged(partial(create_app, settings), listeners, lambda app: app.state.core.draining.set())
        return
    options = ServerOptions(
        listeners=listeners,
        workers=settings.workers,
        http2=settings.http2,
        max_connections_per_address=settings.section(SystemSettings).max_connections_per_address,
        counted_as=partial(counted_as, trusted=settings.trusted_proxies),
        drain_seconds=0.0 if reload else settings.shutdown_delay,
        reload_directory=Path(__file__).parent.parent if reload else None,
        on_ready=on_ready,
    )
    run_server("app.asgi:create_app", options)


async def _prepare(settings: Settings) -> list[str]:
    """Migrates, and returns hints for the operator."""
    if settings.database.is_sqlite and not sqlite.is_sound():
        log.warning("sqlite.outdated", version=sqlite.VERSION, advised=sqlite.SOUND_VERSION)
    core = Core(settings, DOMAINS)
    if settings.migrates_at_start:
        logging.getLogger("alembic").setLevel(logging.WARNING)  # it says the same when there is nothing to do
        with database_errors(core.migrations.url, settings.migration_setting):
            if await core.migrations.state() is SchemaState.BEHIND:
                await core.migrations.upgrade()
                log.info("database.migrated", to=core.migrations.head)
    async with core.running():
        return await hints_of(core, _advise)


async def hints_of(core: Core, advise: Callable[[Core], Awaitable[list[str]]] | None = None) -> list[str]:
    """What the operator of a process that starts should know; ``advise`` says more where the database can be used.
    Raises ``CommandFailed`` for a schema that this release does not work with.
    """
    hints = [*(f"{each}." for each in misspelt_names(setting_kinds())), *filter(None, [missing_mail(core)])]
    try:
        with database_errors(core.settings.database):
            state = await state_of(core.migrations, core.database.reader)
            if state is SchemaState.BEHIND:
                return [*hints, state.value]
            require_usable(state)
            found, advice = await check_connections(core) or ("", None)
            hints += filter(None, [state.value, advice and f"PostgreSQL connections: {found}. {advice}"])
            return hints + (await advise(core) if advise else [])
    except DatabaseUnusable as exc:
        # Readiness says so, too; the database may well come up later.
        log.warning("database.unavailable", error=str(exc))
        return hints


async def _advise(core: Core) -> list[str]:
    hints = [*filter(None, [await missing_default_role(core)])]
    accounts = core.services.build(AccountQueries)
    active = {"is_superuser": True, "is_active": True}
    if (await accounts.list_users(PageRequest(page_size=1, include_total=False), None, active)).items:
        return hints
    return [*hints, "There is no superuser yet: 'app users create-superuser --email you@example.com' makes one."]


def _announce(settings: Settings, lines: list[str]) -> None:
    """In production as a line of the log, else for people to read."""
    urls = {"api": f"{settings.base_url}{API}", "health": f"{settings.base_url}/health"}
    if settings.docs == "public":
        urls["docs"] = f"{settings.base_url}/docs"
    if settings.shows_mailbox:
        urls["mail"] = f"{settings.base_url}/dev/mail"
    if settings.is_production:
        sums = {} if settings.database.is_sqlite else {"database_connections": most_connections(settings)}
        log.info("serving", workers=settings.workers, **sums, **urls)
        for line in lines:
            log.warning(as_called(line))
        return
    if not settings.database.is_sqlite:
        lines = [connections_in_words(settings), *lines]
    width = max(len(name) for name in urls)
    names = {"api": "API", "docs": "Docs", "health": "Health", "mail": "Mail"}
    for name in sorted(urls):
        click.echo(f"{names[name]:<{width}}  {urls[name]}", err=True)
    for line in lines:
        say(line)
    click.echo("Press Ctrl-C to stop.", err=True)
