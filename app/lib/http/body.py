"""A limit on how long a request body may take: nothing below us has one."""

import asyncio
import time
from typing import Any

from litestar.types import Receive

from app.lib.errors import RequestTimeout


class TimedReceive:
    """Wraps ``receive`` until the body is complete or the response has begun; :meth:`release` tells the latter.

    Until then silence of ``idle`` seconds, ``total`` seconds altogether, or a client that goes away raise
    ``RequestTimeout``. Waiting for a disconnect afterwards may take as long as it takes.
    """

    __slots__ = ("_deadline", "_idle", "_receive", "_released")

    def __init__(self, receive: Receive, *, idle: float, total: float) -> None:
        self._receive = receive
        self._idle = idle
        self._deadline = time.monotonic() + total
        self._released = False

    def release(self) -> None:
        """Ends the watch."""
        self._released = True

    @property
    def is_complete(self) -> bool:
        """Whether the whole body has been read. Only of interest before the response has begun."""
        return self._released

    async def __call__(self) -> Any:
        """The next message. Raises ``RequestTimeout`` (408)."""
        if self._released:
            return await self._receive()
        patience = min(self._idle, self._deadline - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(patience, 0.001))
        except TimeoutError:
            raise RequestTimeout from None
        if message["type"] != "http.request":
            raise RequestTimeout
        self._released = not message.get("more_body")
        return message
