"""A pool of connections that serves those who wait in the order in which they came."""

import asyncio
import logging
from collections import deque
from typing import Any, cast

import msgspec
from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only
from sqlalchemy.util.queue import AsyncAdaptedQueue, Empty, Full


class PoolUsage(msgspec.Struct, frozen=True):
    """Connections that a pool may open, those that work at the moment, and those who wait for one."""

    size: int
    in_use: int
    waiters: int


class FairQueue(AsyncAdaptedQueue[Any]):
    """Hands an item that comes back to the first that waits. With asyncio's queue a newcomer may take it before the
    one that was woken for it, which then goes to the end of the line: under load some wait until their time is over.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        super().__init__(maxsize, use_lifo)
        self._items: deque[Any] = deque()
        self._waiting: deque[asyncio.Future[Any]] = deque()

    def empty(self) -> bool:
        """Whether there is no item."""
        return not self._items

    def full(self) -> bool:
        """Whether there is no room for another item."""
        return 0 < self.maxsize <= len(self._items)

    def qsize(self) -> int:
        """The number of items."""
        return len(self._items)

    @property
    def waiters(self) -> int:
        """Those who wait for an item."""
        return sum(not each.done() for each in self._waiting)

    def put_nowait(self, item: Any) -> None:
        """Raises ``Full``."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(item)
                return
        if self.full():
            raise Full
        self._items.append(item)

    def get_nowait(self) -> Any:
        """Raises ``Empty``. Where there is an item, no one waits."""
        if not self._items:
            raise Empty
        return self._items.pop() if self.use_lifo else self._items.popleft()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Never waits: a pool puts back what it has taken."""
        self.put_nowait(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Waits for an item for ``timeout`` seconds. Raises ``Empty``."""
        if self._items or not block:
            return self.get_nowait()
        return await_only(self.wait(timeout))

    async def wait(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - SQLAlchemy passes it
        """Like :meth:`get`, outside SQLAlchemy's greenlets."""
        if self._items:
            return self.get_nowait()
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                return await waiter
        except BaseException as exc:
            if waiter.done() and not waiter.cancelled():  # it came at the very moment of the timeout or cancellation
                self.put_nowait(waiter.result())
            if isinstance(exc, TimeoutError):
                raise Empty from None
            raise


class FairPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool with a :class:`FairQueue`."""

    _queue_class = FairQueue

    def usage(self) -> "PoolUsage":
        """How busy it is."""
        return PoolUsage(self.size(), self.checkedout(), cast("FairQueue", self._pool).waiters)


# SQLAlchemy logs to a logger that is named after the class. Under this name it would count as one of the app's.
logging.getLogger(f"{__name__}.FairPool").setLevel(logging.WARNING)
