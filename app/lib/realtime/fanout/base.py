"""What the hub needs of a fan-out, on top of Litestar's channels backend."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Iterable, Sequence

from litestar.channels.backends.base import ChannelsBackend
from sqlalchemy.ext.asyncio import AsyncSession

RESYNC = ""
"""Comes out of ``stream_events`` as a channel, without data: messages may have been lost, so look at the log."""

MAX_BACKLOG = 10_000
PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between attempts to connect."""


class Fanout(ChannelsBackend):
    """Carries messages between processes. Never raises into a publisher, and reconnects by itself."""

    max_message: int
    """Bytes of the largest message."""

    @property
    @abstractmethod
    def is_connected(self) -> bool:
        """Whether messages go through at the moment, as far as is known."""

    async def publish_in(self, session: AsyncSession, messages: Sequence[tuple[str, bytes]]) -> bool:
        """Sends with the commit of a transaction. False when that is not possible: publish after it."""
        return False

    async def publish_each(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publishes several messages, each to its channel."""
        for channel, data in messages:
            await self.publish(data, [channel])

    async def get_history(self, channel: str, limit: int | None = None) -> list[bytes]:
        """Always empty: the log in the database is the history."""
        return []


class Inbox:
    """What has come and was not looked at yet. When it is too much it is forgotten: the log has it."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._topics: set[str] = set()

    @property
    def topics(self) -> frozenset[str]:
        """The channels that somebody here wants to hear of."""
        return frozenset(self._topics)

    def add(self, channels: Iterable[str]) -> list[str]:
        """Returns those that are new."""
        added = [channel for channel in channels if channel not in self._topics]
        self._topics.update(added)
        return added

    def remove(self, channels: Iterable[str]) -> list[str]:
        """Returns those that were there."""
        removed = [channel for channel in channels if channel in self._topics]
        self._topics.difference_update(removed)
        return removed

    def put(self, channel: str, data: bytes) -> None:
        """Takes a message, if anybody wants it."""
        if channel in self._topics:
            if self._queue.qsize() >= MAX_BACKLOG:
                self.resync()
            self._queue.put_nowait((channel, data))

    def resync(self) -> None:
        """Forgets everything and says so."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait((RESYNC, b""))

    async def stream(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """One message after another."""
        while True:
            yield await self._queue.get()
