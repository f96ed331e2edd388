"""A limit on how long a request body may take: nothing below us has one."""

import asyncio
import time

from litestar.types import HTTPReceiveMessage, Receive

from app.lib.errors import RequestTimeout


class TimedReceive:
    """Wraps ``receive``: silence of ``idle`` seconds, or ``total`` seconds altogether, raise ``RequestTimeout``.

    Only while the body is incomplete; waiting for a disconnect afterwards may take as long as it takes.
    """

    __slots__ = ("_complete", "_deadline", "_idle", "_receive")

    def __init__(self, receive: Receive, *, idle: float, total: float) -> None:
        self._receive = receive
        self._idle = idle
        self._deadline = time.monotonic() + total
        self._complete = False

    async def __call__(self) -> HTTPReceiveMessage:
        """The next message. Raises ``RequestTimeout`` (408)."""
        if self._complete:
            return await self._receive()  # type: ignore[return-value]  # this wraps http scopes only
        patience = min(self._idle, self._deadline - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(patience, 0.001))
        except TimeoutError:
            raise RequestTimeout from None
        if message["type"] != "http.request" or not message.get("more_body"):
            self._complete = True
        return message  # type: ignore[return-value]  # this wraps http scopes only
