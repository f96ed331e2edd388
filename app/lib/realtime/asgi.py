"""A WebSocket as ASGI has it, for the protocols above."""

from typing import Any

from litestar.types import Receive, Send


class ASGITransport:
    """A :class:`.connection.Transport`, once it is accepted."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def accept(self) -> None:
        """Opens the socket; to be called once, first."""
        await self._receive()  # websocket.connect
        await self._send({"type": "websocket.accept", "subprotocol": None, "headers": []})

    async def receive(self) -> str | bytes | None:
        """The next message; None when the peer is gone."""
        message: Any = await self._receive()
        if message["type"] != "websocket.receive":
            return None
        text: str | None = message.get("text")
        return text if text is not None else bytes(message.get("bytes") or b"")

    async def send(self, text: str) -> None:
        """Waits for as long as the peer reads nothing."""
        message: Any = {"type": "websocket.send", "text": text, "bytes": None}
        await self._send(message)

    async def close(self, code: int, reason: str) -> None:
        """Says good-bye."""
        await self._send({"type": "websocket.close", "code": code, "reason": reason})
