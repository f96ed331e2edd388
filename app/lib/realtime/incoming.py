"""What one peer has sent and nobody has looked at yet: bounded, however fast it comes."""

import asyncio

MAX_WAITING = 256
MAX_WAITING_SIZE = 4 << 20


class Incoming:
    """A queue of messages, each of so many characters or bytes."""

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
