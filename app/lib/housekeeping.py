"""Clean-up that nobody waits for: old rows that only take up space."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

Chore = Callable[[], Awaitable[object]]

log = structlog.get_logger(__name__)


@asynccontextmanager
async def housekeeping(chores: dict[str, Chore], every_seconds: float) -> AsyncGenerator[None, None]:
    """Runs the chores in turn while the context lasts. Every worker does it, at its own time; they are idempotent."""
    task = asyncio.create_task(_run(chores, every_seconds), name="housekeeping")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _run(chores: dict[str, Chore], every_seconds: float) -> None:
    while True:
        await asyncio.sleep(every_seconds * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the workers, no secret
        for name, chore in chores.items():
            try:
                await chore()
            except Exception as exc:  # noqa: BLE001 - the next round tries again
                log.warning("housekeeping.failed", chore=name, error=type(exc).__name__)
