"""What is on its way to one peer: bounded, so that one who does not read costs nobody else anything."""

import asyncio
from collections import deque
from collections.abc import Callable

MAX_QUEUED = 256
MAX_QUEUED_CHARACTERS = 1 << 20


class Outgoing:
    """A queue of texts. ``on_text`` is called when one comes into an empty queue, ``on_full`` when one is too much."""

    __slots__ = ("_characters", "_limit", "_limit_characters", "_on_full", "_on_text", "_room", "_texts")

    def __init__(
        self,
        on_text: Callable[[], None],
        on_full: Callable[[], None],
        *,
        limit: int = MAX_QUEUED,
        limit_characters: int = MAX_QUEUED_CHARACTERS,
    ) -> None:
        self._on_text = on_text
        self._on_full = on_full
        self._limit = limit
        self._limit_characters = limit_characters
        self._texts: deque[str] = deque()
        self._characters = 0
        self._room: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._texts)

    def put(self, text: str) -> None:
        """Never waits."""
        characters = self._characters + len(text)
        if len(self._texts) >= self._limit or characters > self._limit_characters:
            self._on_full()
            return
        self._characters = characters
        self._texts.append(text)
        if len(self._texts) == 1:
            self._on_text()

    def first(self) -> str | None:
        """The next text; it stays until :meth:`sent`. None when there is nothing."""
        return self._texts[0] if self._texts else None

    def sent(self) -> None:
        """The first text is on its way."""
        self._characters -= len(self._texts.popleft())
        if self._room is not None and self._has_room():
            self._room.set()

    def clear(self) -> None:
        """Forgets everything."""
        self._texts.clear()
        self._characters = 0
        if self._room is not None:
            self._room.set()

    async def room(self) -> None:
        """Returns once the queue is at most half full."""
        while not self._has_room():
            self._room = asyncio.Event()
            await self._room.wait()
        self._room = None

    def _has_room(self) -> bool:
        return len(self._texts) <= self._limit // 2 and self._characters <= self._limit_characters // 2
