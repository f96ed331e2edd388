"""Messages that wait for one peer, or of it: bounded, so that a slow or fast peer costs the others nothing."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

MAX_WAITING = 256

M = TypeVar("M", str, str | bytes)


class BoundedQueue(Generic[M]):
    """At most 256 messages, and ``max_size`` characters or bytes; one message alone may have more."""

    __slots__ = ("_changed", "_has_ended", "_max_size", "_messages", "_size")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._messages: deque[M] = deque()
        self._size = 0
        self._has_ended = False
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: M) -> bool:
        """Never waits. False when it is one too many, and was not taken."""
        size = self._size + len(message)
        if len(self._messages) >= MAX_WAITING or (self._size and size > self._max_size):
            return False
        self._size = size
        self._messages.append(message)
        self._changed.set()
        return True

    async def next(self) -> M | None:
        """The first message, as soon as there is one; None after the last."""
        while not self._messages and not self._has_ended:
            self._changed.clear()
            await self._changed.wait()
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._size -= len(message)
        self._changed.set()
        return message

    def end(self) -> None:
        """Nothing more will come."""
        self._has_ended = True
        self._changed.set()

    def clear(self) -> None:
        """Drops everything."""
        self._messages.clear()
        self._size = 0
        self._changed.set()

    async def has_room(self) -> None:
        """Returns once the queue is at most half full."""
        while len(self) > MAX_WAITING // 2 or self._size > self._max_size // 2:
            self._changed.clear()
            await self._changed.wait()
