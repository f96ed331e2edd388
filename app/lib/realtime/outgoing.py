"""What is on its way to one peer: bounded, so that one who does not read costs nobody else anything."""

import asyncio

from app.lib.realtime.frames import CloseCode

MAX_QUEUED = 256
MAX_QUEUED_BYTES = 1 << 20


class Outgoing:
    """A queue of texts. When it is full it closes itself as too slow and forgets what it held."""

    def __init__(self, limit: int = MAX_QUEUED, limit_bytes: int = MAX_QUEUED_BYTES) -> None:
        self._limit, self._limit_bytes = limit, limit_bytes
        self._texts: list[str] = []
        self._bytes = 0
        self.close_code: CloseCode | None = None
        self.close_reason = ""
        self._changed = asyncio.Event()

    def put(self, text: str) -> None:
        """Never waits. Too much makes it close with ``TOO_SLOW``; after the end it does nothing."""
        raise NotImplementedError

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Ends it at once: what was not sent is forgotten. The first close counts."""
        raise NotImplementedError

    async def take(self) -> list[str]:
        """All that is there, waiting for at least one; empty at the end."""
        raise NotImplementedError

    async def room(self) -> None:
        """Returns once the queue is at most half full, or closed."""
        raise NotImplementedError
