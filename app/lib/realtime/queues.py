"""What waits for one peer, and what waits of it: bounded, so that a slow or fast peer costs the others nothing."""

import asyncio
from collections import deque
from collections.abc import Callable

MAX_WAITING = 256
MAX_WAITING_SIZE = 4 << 20
MAX_QUEUED = 256
MAX_QUEUED_CHARACTERS = 1 << 20


class Incoming:
    """Messages that have come and are not handled yet."""

    __slots__ = ("_messages", "_size")

    def __init__(self) -> None:
        self._messages: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._size = 0

    def put(self, message: str | bytes) -> bool:
        """Never waits. False when it is one too many, and was not taken."""
        size = self._size + len(message)
        if self._messages.qsize() >= MAX_WAITING or (self._size and size > MAX_WAITING_SIZE):
            return False
        self._size = size
        self._messages.put_nowait(message)
        return True

    def end(self) -> None:
        """Nothing more will come."""
        self._messages.put_nowait(None)

    async def next(self) -> str | bytes | None:
        """In the order in which they came; None after the last."""
        message = await self._messages.get()
        if message is not None:
            self._size -= len(message)
        return message


class Outgoing:
    """Texts to be sent. ``on_text`` is called when one comes into an empty queue, ``on_full`` when one is too much."""

    __slots__ = ("_characters", "_on_full", "_on_text", "_room", "_texts")

    def __init__(self, on_text: Callable[[], None], on_full: Callable[[], None]) -> None:
        self._on_text = on_text
        self._on_full = on_full
        self._texts: deque[str] = deque()
        self._characters = 0
        self._room: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._texts)

    def put(self, text: str) -> None:
        """Never waits."""
        characters = self._characters + len(text)
        if len(self._texts) >= MAX_QUEUED or characters > MAX_QUEUED_CHARACTERS:
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
        """The first text was sent."""
        self._characters -= len(self._texts.popleft())
        if self._room is not None and self._has_room():
            self._room.set()

    def clear(self) -> None:
        """Drops everything."""
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
        return len(self._texts) <= MAX_QUEUED // 2 and self._characters <= MAX_QUEUED_CHARACTERS // 2
