"""Tasks in the background that outlive failures, and group commit."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import structlog

from app.lib.realtime.errors import as_realtime_error

log = structlog.stdlib.get_logger(__name__)

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

MAX_BATCH = 256
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
                if not failures:
                    bug = None if as_realtime_error(exc) else exc
                    log.warning(failed, error=type(exc).__name__, exc_info=bug)
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1


class GroupCommit(Generic[ItemT, ResultT]):
    """Passes items to ``commit`` in their order, many at a time: those that come while a transaction runs share the
    next one.

    When a batch fails although the database is there, each of its items is tried alone, so that a bad item does not
    affect the others.
    """

    def __init__(self, commit: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT]]]) -> None:
        self._commit = commit
        self._waiting: list[tuple[ItemT, asyncio.Future[ResultT]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, item: ItemT) -> ResultT:
        """What ``commit`` returned for the item. Raises ``RealtimeUnavailable`` when the database is away.

        Cancelling the caller changes nothing: the item is committed all the same.
        """
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await future

    async def drain(self, seconds: float) -> None:
        """Waits until nothing is left to commit, but no longer than that."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=seconds)

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            await self._settle(batch)

    async def _settle(self, batch: list[tuple[ItemT, asyncio.Future[ResultT]]]) -> None:
        try:
            results = await self._commit([item for item, _ in batch])
        except Exception as exc:
            error = as_realtime_error(exc)
            if error is None and len(batch) > 1:
                for each in batch:
                    await self._settle([each])
                return
            log.warning("realtime.commit_failed", error=type(exc).__name__, exc_info=None if error else exc)
            for _, future in batch:
                if not future.done():
                    future.set_exception(error or exc)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
