"""What the hub needs of a fan-out, on top of Litestar's channels backend."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence

from litestar.channels.backends.base import ChannelsBackend
from sqlalchemy.ext.asyncio import AsyncSession

RESYNC = ""
"""Comes out of ``stream_events`` as a channel, without data: messages may have been lost, so look at the log."""


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

    async def get_history(self, channel: str, limit: int | None = None) -> list[bytes]:
        """Always empty: the log in the database is the history."""
        return []

    async def publish_each(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publishes several messages, each to its channel."""
        for channel, data in messages:
            await self.publish(data, [channel])
