"""What waits for one peer, and what waits of it: bounded, so that a slow or fast peer costs the others nothing."""

import asyncio
from collections import deque

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
    """Texts that wait to be sent."""

    __slots__ = ("_characters", "_room", "_texts")

    def __init__(self) -> None:
        self._texts: deque[str] = deque()
        self._characters = 0
        self._room = asyncio.Event()

    def __len__(self) -> int:
        return len(self._texts)

    def put(self, text: str) -> bool:
        """Never waits. False when it is one too many, and was not taken."""
        characters = self._characters + len(text)
        if len(self._texts) >= MAX_QUEUED or characters > MAX_QUEUED_CHARACTERS:
            return False
        self._characters = characters
        self._texts.append(text)
        return True

    def next(self) -> str | None:
        """Takes the first text; None when there is nothing."""
        if not self._texts:
            return None
        text = self._texts.popleft()
        self._characters -= len(text)
        self._room.set()
        return text

    def clear(self) -> None:
        """Drops everything."""
        self._texts.clear()
        self._characters = 0
        self._room.set()

    async def room(self) -> None:
        """Returns once the queue is at most half full."""
        while len(self._texts) > MAX_QUEUED // 2 or self._characters > MAX_QUEUED_CHARACTERS // 2:
            self._room.clear()
            await self._room.wait()
