"""Tasks in the background that outlive failures."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from app.lib.db.faults import is_passing

log = structlog.stdlib.get_logger(__name__)

_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)


async def wait_for_signal(signal: asyncio.Event, seconds: float) -> bool:
    """Waits for a signal and resets it. False when it did not come in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await signal.wait()
        signal.clear()
        return True
    return False


class Loops:
    """The background tasks of one owner, which end with :meth:`close`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def repeat(self, step: Callable[[], Awaitable[object]], failed: str) -> None:
        """Runs a step again and again; after a failure it is logged as ``failed`` once, and there is a pause."""
        self.run(self._repeat(step, failed))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs something once."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancels all."""
        for task in (tasks := tuple(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self, step: Callable[[], Awaitable[object]], failed: str) -> None:
        failures = 0
        while True:
            try:
                await step()
                failures = 0
            except Exception as exc:
                if is_passing(exc) and not failures:
                    log.warning(failed, error=type(exc).__name__)
                elif not failures:
                    log.exception(failed, error=type(exc).__name__)
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1


@asynccontextmanager
async def repeating(step: Callable[[], Awaitable[object]], failed: str) -> AsyncGenerator[None]:
    """A step that is repeated in the background during the block, see :meth:`Loops.repeat`."""
    loops = Loops()
    loops.repeat(step, failed)
    try:
        yield
    finally:
        await loops.close()
