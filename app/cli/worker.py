"""``app worker``: background jobs in a process of their own, for ``JOBS_WORKER=external``."""

import asyncio
import signal

import click
import structlog

from app.asgi import DOMAINS
from app.background import Background
from app.components import Components
from app.config import Settings, load_settings, with_secret_key
from app.lib.observability.logging import configure_logging

log = structlog.stdlib.get_logger(__name__)


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 200), help="Jobs at a time; default JOBS_CONCURRENCY.")
def worker(concurrency: int | None) -> None:
    """Run background jobs until SIGTERM or Ctrl-C, which lets running ones finish for 10 seconds.

    A database that is away, or not migrated yet, is waited for.
    """
    settings = with_secret_key(load_settings()[0])
    configure_logging(settings.effective_log_level, settings.log_format)
    asyncio.run(_work(settings, concurrency))


async def _work(settings: Settings, concurrency: int | None) -> None:
    components = Components(settings)
    background = Background(components, DOMAINS)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await components.start()
    try:
        await background.events.start()
        await components.channels.start()
        async with background.working(concurrency) as works:
            log.info("working", jobs=len(background.registry), worker=works.name)
            await stop.wait()
    finally:
        try:
            await components.channels.close()
            await background.events.close()
        finally:
            await components.close()
