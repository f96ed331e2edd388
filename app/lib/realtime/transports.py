"""Sockets over ASGI: a WebSocket, and a stream of Server-Sent Events."""

import asyncio
from contextlib import suppress
from typing import Any

from litestar.types import Receive, Send

_ANSWER_SECONDS = 2.0
_HEADERS = ((b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))


class WebSocketTransport:
    """A WebSocket that is being opened (ASGI, section WebSocket)."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def accept(self) -> None:
        """Answers the handshake, which is the first message."""
        await self._receive()
        await self._send({"type": "websocket.accept", "subprotocol": None, "headers": []})

    async def receive(self) -> str | bytes | None:
        """The next message; None when the peer is gone."""
        message: Any = await self._receive()
        if message["type"] == "websocket.disconnect":
            return None
        text: str | None = message.get("text")
        return text if text is not None else bytes(message.get("bytes") or b"")

    async def send(self, text: str) -> None:
        """One text message."""
        await self._send({"type": "websocket.send", "text": text, "bytes": None})

    async def close(self, code: int, reason: str) -> None:
        """The closing frame. Returns when the peer has answered it, has gone, or has had time enough.

        What it still sends until then is read: a connection that ends with unread data is reset, and the peer might
        lose the frame (RFC 1122, section 4.2.2.13).
        """
        await self._send({"type": "websocket.close", "code": code, "reason": reason})
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                while await self.receive() is not None:
                    pass


class EventStreamTransport:
    """A response that has not begun (WHATWG HTML, section 9.2)."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def accept(self) -> None:
        """Begins the response."""
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})

    async def receive(self) -> str | bytes | None:
        """Waits for the peer to go; everything else is ignored."""
        while True:
            message: Any = await self._receive()
            if message["type"] == "http.disconnect":
                return None

    async def send(self, text: str) -> None:
        """One event, already in its form."""
        await self._send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def close(self, code: int, reason: str) -> None:
        """An event that says why, and the end. Clients come back by themselves."""
        await self.send(f'event: close\ndata: {{"code":{code}}}\n\n')
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
