"""``app worker``: background jobs in a process of their own, for ``JOBS_WORKER=external``."""

import asyncio
import signal
from contextlib import AbstractAsyncContextManager, nullcontext, suppress

import click
import structlog

from app.asgi import app_of, router_of
from app.cli.process import make_core
from app.core import Core
from app.domain.system import PROBES
from app.domain.system.readiness import Readiness
from app.lib.cli.errors import AddressUnusable
from app.lib.cli.running import require_usable, state_of
from app.lib.db.faults import DATABASE_ERRORS
from app.lib.db.migrations import SchemaState
from app.lib.errors import Unavailable
from app.lib.observability.logging import configure_logging
from app.lib.serving.addresses import AddressUnavailable, claim
from app.lib.serving.server import listening

log = structlog.stdlib.get_logger(__name__)


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 200), help="Jobs at a time; default JOBS_CONCURRENCY.")
@click.option("--probe-port", type=click.IntRange(1, 65535), help="Port for /health/ready and /metrics; default none.")
@click.option("--probe-host", default="127.0.0.1", show_default=True, help="Address for them.")
def worker(concurrency: int | None, probe_port: int | None, probe_host: str) -> None:
    """Run background jobs until SIGTERM or Ctrl-C, which lets running ones finish for 10 seconds.

    It waits for a database that is down, or not migrated yet. With --probe-port it answers /health/live, /health/ready,
    which is 503 while it takes no jobs, and /metrics, as `app serve` does.
    """
    core = make_core()
    configure_logging(core.settings.effective_log_level, core.settings.log_format)
    probes: AbstractAsyncContextManager[None] = nullcontext()
    if probe_port is not None:
        try:
            address = claim(probe_host, probe_port)
        except AddressUnavailable as exc:
            raise AddressUnusable(f"{exc}.", "Choose another with --probe-port or --probe-host.") from exc
        probes = listening(app_of(core, [router_of(core, "/", PROBES)]), address, probe_port)
    asyncio.run(_work(core, concurrency, probes))


async def _work(core: Core, concurrency: int | None, probes: AbstractAsyncContextManager[None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    readiness = core.services.get(Readiness)
    readiness.require("jobs", lambda: "The worker does not run yet.")
    async with core.running(), probes:
        with suppress(*DATABASE_ERRORS, OSError, Unavailable):  # it may well come up later
            state = await state_of(core.migrations, core.database.reader)
            if state is not SchemaState.BEHIND:
                require_usable(state)
        async with core.working(concurrency) as works:
            readiness.require("jobs", works.fault)
            log.info("working", jobs=len(core.jobs), worker=works.name)
            await stop.wait()
            core.draining.set()
