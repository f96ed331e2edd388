"""A WebSocket client (RFC 6455) in as few lines as it takes, for thousands of connections and for hostile frames."""

import asyncio
import base64
import os
import struct
from typing import Any

import msgspec

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_LONG, _LONGER = 126, 127


class Refused(Exception):
    """The handshake was answered with something else: ``status``."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(str(status))


class WebSocket:
    """Made by :func:`connect`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.close_code: int | None = None

    async def send(self, message: object) -> None:
        """A frame as JSON; a text or bytes as they are."""
        if isinstance(message, bytes):
            await self.send_raw(BINARY, message)
        else:
            text = message if isinstance(message, str) else msgspec.json.encode(message).decode()
            await self.send_raw(TEXT, text.encode())

    async def send_raw(self, opcode: int, data: bytes) -> None:
        """The mask is all zeros, which is as good as any other."""
        size = len(data)
        if size < _LONG:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | _LONG, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | _LONGER, size)
        self._writer.write(head + b"\0\0\0\0" + data)
        await self._writer.drain()

    async def receive(self) -> bytes | None:
        """The next message; None when it is over, and ``close_code`` says how (1006: without a word)."""
        try:
            while True:
                opcode, data = await self._frame()
                if opcode == CLOSE:
                    self.close_code = int.from_bytes(data[:2], "big") if data else 1005
                    return None
                if opcode in {TEXT, BINARY}:
                    return data
        except (asyncio.IncompleteReadError, OSError):
            self.close_code = 1006
            return None

    async def frame(self, kind: str | None = None) -> Any:
        """The next frame as JSON, of this type if one is given. Raises ``EOFError`` when it is over."""
        while (data := await self.receive()) is not None:
            found = msgspec.json.decode(data)
            if kind is None or found["type"] == kind:
                return found
        raise EOFError(self.close_code)

    def drop(self) -> None:
        """Without a word."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """As it should be done, and waits for the answer."""
        await self.send_raw(CLOSE, struct.pack("!H", 1000))
        while await self.receive() is not None:
            pass
        self.drop()

    async def answer_close(self) -> None:
        """To a peer that has closed it."""
        await self.send_raw(CLOSE, struct.pack("!H", self.close_code or 1000))
        self._writer.close()

    async def _frame(self) -> tuple[int, bytes]:
        first, size = await self._reader.readexactly(2)
        if size == _LONG:
            (size,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif size == _LONGER:
            (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
        return first & 0x0F, await self._reader.readexactly(size)


async def connect(port: int, target: str, headers: dict[str, str] | None = None) -> WebSocket:
    """To this machine. Raises ``Refused``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split()[1])
    if status != 101:
        writer.transport.abort()
        raise Refused(status)
    return WebSocket(reader, writer)
