"""``app worker``: background jobs in a process of their own, for ``JOBS_WORKER=external``."""

import asyncio
import signal
import sys
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import click
import structlog

from app.asgi import app_of, router_of
from app.cli.process import make_core
from app.cli.startup import hints_of
from app.core import Core
from app.domain.system import PROBES
from app.domain.system.readiness import Readiness
from app.lib.cli.called import as_called
from app.lib.cli.errors import AddressUnusable
from app.lib.observability.logging import configure_logging
from app.lib.serving.addresses import AddressUnavailable, claim
from app.lib.serving.embedded import listening
from app.lib.serving.supervised import has_terminal, start_again

log = structlog.stdlib.get_logger(__name__)


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 200), help="Jobs at a time; default JOBS_CONCURRENCY.")
@click.option("--probe-port", type=click.IntRange(1, 65535), help="Port for /health/ready and /metrics; default none.")
@click.option("--probe-host", default="127.0.0.1", show_default=True, help="Address for them.")
def worker(concurrency: int | None, probe_port: int | None, probe_host: str) -> None:
    """Run background jobs until SIGTERM or Ctrl-C, which lets running ones finish for 10 seconds.

    It waits for a database that is down, or not migrated yet. With --probe-port it answers /health/live, /health/ready,
    which is 503 while it takes no jobs, and /metrics, as `app serve` does.

    Without a terminal, SIGHUP lets running jobs finish and starts again with the code and the settings of now, if 'app
    check' finds that they work.
    """
    core = make_core()
    configure_logging(core.settings.effective_log_level, core.settings.log_format)
    probes: AbstractAsyncContextManager[None] = nullcontext()
    about: dict[str, Any] = (
        {} if core.settings.database.is_sqlite else {"database_connections": core.settings.pool_sizes.total}
    )
    if probe_port is not None:
        about["ready"] = f"http://{f'[{probe_host}]' if ':' in probe_host else probe_host}:{probe_port}/health/ready"
        try:
            [place] = claim(probe_host, probe_port, 1)
        except AddressUnavailable as exc:
            raise AddressUnusable(f"{exc}.", "Choose another with --probe-port or --probe-host.") from exc
        probes = listening(app_of(core, [router_of(core, "/", PROBES)]), place)
    if asyncio.run(_work(core, concurrency, probes, about)):
        start_again()


async def _work(
    core: Core, concurrency: int | None, probes: AbstractAsyncContextManager[None], about: dict[str, Any]
) -> bool:
    """Returns whether it should start again."""
    signals, is_in_terminal = asyncio.Queue[signal.Signals](), has_terminal()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup sets it
            asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, number)
    readiness = core.services.get(Readiness)
    readiness.require("jobs", lambda: "The worker does not run yet.")
    async with core.running(), probes:
        hints = await hints_of(core)
        async with core.working(concurrency) as works:
            readiness.require("jobs", works.fault)
            log.info("working", jobs=len(core.jobs), worker=works.name, concurrency=works.concurrency, **about)
            for hint in hints:
                log.warning(as_called(hint))
            is_replaced = False
            while not is_replaced and await signals.get() == signal.SIGHUP and not is_in_terminal:
                is_replaced = await _new_version_works()
            core.draining.set()
    return is_replaced


async def _new_version_works() -> bool:
    check = await asyncio.create_subprocess_exec(
        sys.executable, sys.argv[0], "check", stdout=asyncio.subprocess.DEVNULL
    )
    code = await check.wait()
    if code:
        log.error("reload.failed", hint="The version before goes on working.", exit_code=code)
    return code == 0
