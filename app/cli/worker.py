"""``app worker``: background jobs in a process of their own, for ``JOBS_WORKER=external``."""

import asyncio
import signal
from contextlib import suppress

import click
import structlog

from app.cli.process import make_core
from app.core import Core
from app.lib.cli.running import require_usable, state_of
from app.lib.db.faults import DATABASE_ERRORS
from app.lib.db.migrations import SchemaState
from app.lib.errors import Unavailable
from app.lib.observability.logging import configure_logging

log = structlog.stdlib.get_logger(__name__)


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 200), help="Jobs at a time; default JOBS_CONCURRENCY.")
def worker(concurrency: int | None) -> None:
    """Run background jobs until SIGTERM or Ctrl-C, which lets running ones finish for 10 seconds.

    It waits for a database that is down, or not migrated yet.
    """
    core = make_core()
    configure_logging(core.settings.effective_log_level, core.settings.log_format)
    asyncio.run(_work(core, concurrency))


async def _work(core: Core, concurrency: int | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with core.running():
        with suppress(*DATABASE_ERRORS, OSError, Unavailable):  # it may well come up later
            state = await state_of(core.migrations, core.database.reader)
            if state is not SchemaState.BEHIND:
                require_usable(state)
        async with core.working(concurrency) as works:
            log.info("working", jobs=len(core.jobs), worker=works.name)
            await stop.wait()
