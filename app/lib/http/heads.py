"""The head of a request or handshake: its header fields and its size; and limits on how long bodies may take."""

import asyncio
import time
from typing import Any

from litestar.types import Message, Receive, Scope, Send

from app.lib.errors import HeadersTooLarge, RequestTimeout

Headers = list[tuple[bytes, bytes]]


def check_header_bytes(scope: Scope, most: int) -> None:
    """Raises ``HeadersTooLarge``."""
    size = len(scope["path"]) + len(scope["query_string"])
    for name, value in scope["headers"]:
        size += len(name) + len(value)
    if size > most:
        raise HeadersTooLarge


def headers_by_name(headers: Any) -> dict[bytes, bytes]:
    """The first of each header, and of ``If-None-Match``, which is a list, all."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name == b"if-none-match" and name in found:
            found[name] += b", " + value
        else:
            found.setdefault(name, value)
    return found


class TimedReceive:
    """Limits how long a request body may take, which no server below does.

    Wraps ``receive`` until the body is complete or the response has begun, which :meth:`release` says. Until then
    silence of ``idle`` seconds, ``total`` seconds altogether, or a client that goes away raise ``RequestTimeout``.
    Waiting for a disconnect afterwards may take as long as it takes.
    """

    __slots__ = ("_deadline", "_idle", "_receive", "_released")

    def __init__(self, receive: Receive, *, idle: float, total: float) -> None:
        self._receive = receive
        self._idle = idle
        self._deadline = time.monotonic() + total
        self._released = False

    def release(self) -> None:
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
            async with asyncio.timeout(max(patience, 0.001)):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout from None
        if message["type"] != "http.request":
            raise RequestTimeout
        self._released = not message.get("more_body")
        return message


CHUNK = 32_768
"""Bytes of an answer that are handed to the server at a time."""


async def send_body(send: Send, message: Any, *, idle: float) -> None:
    """Sends a message of a response's body, in pieces where it is long: of one message the server keeps a copy until
    the client has read it, of a stream it keeps a few pieces and makes us wait.

    Raises ``TimeoutError`` when it has taken nothing for ``idle`` seconds, because the client does not read.
    """
    body: bytes = message.get("body", b"")
    more = bool(message.get("more_body"))
    if len(body) <= CHUNK and not more:
        await send(message)
        return
    for start in range(0, max(len(body), 1), CHUNK):
        has_more = more or start + CHUNK < len(body)
        piece: Message = {
            "type": "http.response.body",
            "body": body[start : start + CHUNK],
            "more_body": has_more,
        }
        async with asyncio.timeout(idle):
            await send(piece)
