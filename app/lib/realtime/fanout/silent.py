"""No fan-out: workers find out by looking at the database. For several workers on one SQLite file."""

import asyncio
from collections.abc import AsyncGenerator, Iterable

from app.lib.realtime.fanout.base import Fanout


class SilentFanout(Fanout):
    """Carries nothing; the hub's sweep finds everything."""

    max_message = 0

    @property
    def is_connected(self) -> bool:
        """There is nothing to be cut off from."""
        return True

    async def on_startup(self) -> None:
        """Nothing to do."""

    async def on_shutdown(self) -> None:
        """Nothing to do."""

    async def publish(self, data: bytes, channels: Iterable[str]) -> None:
        """Nobody hears it."""

    async def subscribe(self, channels: Iterable[str]) -> None:
        """Nothing will come."""

    async def unsubscribe(self, channels: Iterable[str]) -> None:
        """Nothing came."""

    async def stream_events(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """Waits for ever."""
        await asyncio.get_running_loop().create_future()
        yield "", b""
