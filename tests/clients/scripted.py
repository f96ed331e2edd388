"""A server that does what a test says: what real ones seldom do is what clients get wrong."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

PATIENCE = 20.0


class Talk:
    """One connection of the client, as the server sees it."""

    def __init__(self, connection: ServerConnection, ticket: str) -> None:
        self.connection = connection
        self.ticket = ticket
        self.ended = asyncio.Event()

    async def receive(self, type_: str) -> dict[str, Any]:
        """The next frame, which has to be of that type."""
        async with asyncio.timeout(PATIENCE):
            frame: dict[str, Any] = json.loads(await self.connection.recv())
        assert frame["type"] == type_, frame
        return frame

    async def send(self, type_: str, **fields: Any) -> None:
        await self.connection.send(json.dumps({"type": type_, **fields}))

    async def agree(self, last_id: int = 0, *, presence: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
        """Waits for a subscribe and says yes to it."""
        asked = await self.receive("subscribe")
        members = [member(name) for name in presence]
        answer = {"recovered": True, "missed": 0, "presence": members, **fields}
        await self.send("subscribed", channel=asked["channel"], ref=asked["ref"], last_id=last_id, **answer)
        return asked

    async def tell(self, *ids: int, channel: str = "room:tea") -> None:
        """Events with these ids, whose data is the id."""
        for number in ids:
            about = {"event": "message", "sent_at": "2026-01-31T12:00:00Z", "sender_id": None}
            await self.send("event", channel=channel, id=number, data={"number": number}, **about)

    async def ack(self, id_: int) -> dict[str, Any]:
        """Waits for a publish and acknowledges it."""
        asked = await self.receive("publish")
        await self.send("ack", id=id_, ref=asked["ref"])
        return asked

    async def refuse(self, asked: dict[str, Any], code: str, *, retryable: bool = False) -> None:
        await self.send("error", code=code, detail=f"It is {code}.", retryable=retryable, ref=asked["ref"])

    async def close(self, code: int) -> None:
        await self.connection.close(code, "because")

    def drop(self) -> None:
        """Without a word, as when a cable is cut."""
        self.connection.transport.abort()


class ScriptedServer:
    """Takes tickets by POST and WebSockets, on one port."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens: list[str] = []
        """Of those who asked for tickets."""
        self.refusals: deque[tuple[int, str]] = deque()
        """Statuses with header lines for those who ask next; everybody else gets a ticket."""
        self._talks: asyncio.Queue[Talk] = asyncio.Queue()
        self._inner_port = 0

    async def accept(self) -> Talk:
        """The next connection."""
        async with asyncio.timeout(PATIENCE):
            return await self._talks.get()

    @property
    def has_more_connections(self) -> bool:
        return not self._talks.empty()

    async def talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        talk = Talk(connection, connection.request.path.partition("?ticket=")[2])
        self._talks.put_nowait(talk)
        await connection.wait_closed()
        talk.ended.set()

    async def front(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers what is no WebSocket, which the library behind it cannot."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"POST "):
                writer.write(self._answer(head.decode()))
                await writer.drain()
            else:
                await self._forward(head, reader, writer)
        writer.transport.abort() if writer.is_closing() else writer.close()

    def _answer(self, head: str) -> bytes:
        assert head.startswith("POST /api/v1/realtime/tickets HTTP/1.1\r\n"), head
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        self.tokens.append(fields["authorization"].removeprefix("bearer "))
        status, more = self.refusals.popleft() if self.refusals else (201, "")
        body = json.dumps({"ticket": f"ticket-{len(self.tokens)}"} if status == 201 else {"code": f"was_{status}"})
        return (
            f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}"
            f"Connection: close\r\n\r\n{body}"
        ).encode()

    async def _forward(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._inner_port)
        inner_writer.write(head)
        pumps = {asyncio.ensure_future(_pump(reader, inner_writer)), asyncio.ensure_future(_pump(inner_reader, writer))}
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            inner_writer.close()
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ScriptedServer"]:
        async with serve(self.talk, "127.0.0.1", 0, ping_interval=None) as inner:
            self._inner_port = inner.sockets[0].getsockname()[1]
            front = await asyncio.start_server(self.front, "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{front.sockets[0].getsockname()[1]}"
            yield self
            front.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


def member(name: str) -> dict[str, str | None]:
    return {"id": f"id-of-{name}", "username": None, "name": name, "avatar_url": None}
