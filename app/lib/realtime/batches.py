"""Group commit: what comes while a transaction runs goes into the next one, together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

from app.lib.db.faults import to_app_error
from app.lib.realtime.errors import RealtimeError, RealtimeUnavailable

log = structlog.stdlib.get_logger(__name__)

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

MOST = 256
_SERVER_ERRORS = 500


def as_realtime_error(exc: Exception) -> RealtimeError | None:
    """What a client is told of a failure of the database; None for a bug of ours."""
    if isinstance(exc, RealtimeError):
        return exc
    error = to_app_error(exc)
    passing = isinstance(exc, OSError) or (error is not None and error.status >= _SERVER_ERRORS)
    return RealtimeUnavailable() if passing else None


def bug_in(exc: Exception) -> Exception | None:
    """The exception, for its traceback, unless the database was merely away."""
    return None if as_realtime_error(exc) else exc


class GroupCommit(Generic[ItemT, ResultT]):
    """Hands items to ``commit`` in the order in which they came, many at a time, one batch after another.

    When a batch fails although the database is there, each of its items is tried alone, so that one bad item spoils
    none of the others.
    """

    def __init__(self, commit: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT]]], most: int = MOST) -> None:
        self._commit = commit
        self._most = most
        self._waiting: list[tuple[ItemT, asyncio.Future[ResultT]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, item: ItemT) -> ResultT:
        """What ``commit`` returned for the item. Raises ``RealtimeUnavailable`` when the database is away.

        To be cancelled while waiting changes nothing: the item is committed all the same.
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
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
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
            _fail(batch, error or exc)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(batch: list[tuple[ItemT, asyncio.Future[ResultT]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
