"""``app worker``: background jobs in a process of their own, for ``JOBS_WORKER=external``."""

import asyncio
import signal
import sys
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
from app.lib.serving.supervised import has_terminal, start_again

log = structlog.stdlib.get_logger(__name__)


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 200), help="Jobs at a time; default JOBS_CONCURRENCY.")
def worker(concurrency: int | None) -> None:
    """Run background jobs until SIGTERM or Ctrl-C, which lets running ones finish for 10 seconds.

    It waits for a database that is down, or not migrated yet. Without a terminal, SIGHUP lets running jobs finish and
    starts again with the code and the settings of now, if 'app check' finds that they work.
    """
    core = make_core()
    configure_logging(core.settings.effective_log_level, core.settings.log_format)
    if asyncio.run(_work(core, concurrency)):
        start_again()


async def _work(core: Core, concurrency: int | None) -> bool:
    """Returns whether it should start again."""
    signals, is_in_terminal = asyncio.Queue[signal.Signals](), has_terminal()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup sets it
            asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, number)
    async with core.running():
        with suppress(*DATABASE_ERRORS, OSError, Unavailable):  # it may well come up later
            state = await state_of(core.migrations, core.database.reader)
            if state is not SchemaState.BEHIND:
                require_usable(state)
        async with core.working(concurrency) as works:
            log.info("working", jobs=len(core.jobs), worker=works.name)
            while await signals.get() == signal.SIGHUP and not is_in_terminal:
                if await _new_version_works():
                    return True
    return False


async def _new_version_works() -> bool:
    check = await asyncio.create_subprocess_exec(
        sys.executable, sys.argv[0], "check", stdout=asyncio.subprocess.DEVNULL
    )
    code = await check.wait()
    if code:
        log.error("reload.failed", hint="The version before goes on working.", exit_code=code)
    return code == 0
