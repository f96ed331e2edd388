"""What was read a moment ago, kept in the process for a moment more."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Recent:
    """Remembers values for at most ``seconds`` since their reading began, and at most ``max_bytes`` of them.

    :meth:`forget` drops some of it or all; what was being read at that moment is not kept, since it may be older than
    the reason for forgetting. So a value is never staler than ``seconds``, and never at all where the writer forgets.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._bytes = 0
        self._epoch = 0
        self._kept: OrderedDict[Hashable, tuple[float, int, Any]] = OrderedDict()

    def __len__(self) -> int:
        """How many values are kept, those whose time is over included."""
        return len(self._kept)

    async def get(self, key: Hashable, read: Callable[[], Awaitable[T | None]], size: Callable[[T], int]) -> T | None:
        """The value, read anew where it is not remembered. None is never remembered. ``size`` is in bytes, roughly."""
        found = self._kept.get(key)
        if found is not None and found[0] > time.monotonic():
            value: T = found[2]
            return value
        epoch, started = self._epoch, time.monotonic()
        fresh = await read()
        if fresh is not None and epoch == self._epoch:
            self._keep(key, started + self._seconds, size(fresh), fresh)
        return fresh

    def forget(self, *keys: Hashable) -> None:
        """Drops what is kept under these keys; without a key everything."""
        self._epoch += 1
        if keys:
            for key in keys:
                self._drop(key)
            return
        self._kept.clear()
        self._bytes = 0

    def _keep(self, key: Hashable, good_until: float, size: int, value: Any) -> None:
        self._drop(key)
        self._kept[key] = (good_until, size, value)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self._bytes -= old[1]
