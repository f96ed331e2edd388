"""A network before a server that can be cut, turned into a black hole and, for PostgreSQL, listened to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

from sqlalchemy import URL

from app.lib.db.url import DatabaseURL

_ENCRYPTION_REQUESTS = {80877103, 80877104}


class Proxy:
    """Forwards TCP connections on a port of this machine to the server of a database, or to any other."""

    def __init__(self, target: URL, *, listens: bool = True) -> None:
        self._target = target
        self._listens = listens
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.heard: list[str] = []
        """The types of the messages that clients sent, as in "P", "B", "E", "S" or "Q"."""

    @property
    def url(self) -> DatabaseURL:
        """The database, by way of the proxy."""
        through = self._target.set(host="127.0.0.1", port=self.port, query={"ssl": "disable"})
        return DatabaseURL.parse(through.render_as_string(hide_password=False))

    @property
    def connections(self) -> int:
        """How many clients are connected at the moment."""
        return len(self._writers)

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._flowing.set()
        await self.cut()

    async def cut(self) -> None:
        """The server is gone: connections break, and new ones are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def drop(self) -> None:
        """Breaks the connections that there are."""
        for task in self._tasks:
            task.cancel()

    async def restore(self) -> None:
        """The server is back, on the same port."""
        self._flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def hush(self) -> None:
        """A black hole: what is sent arrives nowhere, and nothing is refused."""
        self._flowing.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._forward(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        async with self._upstream() as (server_reader, server_writer):
            await asyncio.wait(
                {
                    asyncio.ensure_future(self._pump(reader, server_writer, self._ear())),
                    asyncio.ensure_future(self._pump(server_reader, writer, None)),
                },
                return_when=asyncio.FIRST_COMPLETED,
            )

    def _ear(self) -> "_Ear | None":
        return _Ear(self.heard) if self._listens else None

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ear: "_Ear | None") -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                if ear is not None:
                    ear.hear(data)
                writer.write(data)
                await writer.drain()

    @contextlib.asynccontextmanager
    async def _upstream(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        host = str(self._target.query.get("host") or self._target.host)
        port = self._target.port or 5432
        if host.startswith("/"):
            reader, writer = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            reader, writer = await asyncio.open_connection(host, port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


class _Ear:
    """Reads the types of a client's messages (PostgreSQL's protocol, section 54.7)."""

    def __init__(self, heard: list[str]) -> None:
        self._heard = heard
        self._buffer = b""
        self._started = False

    def hear(self, data: bytes) -> None:
        self._buffer += data
        while (size := self._size()) and len(self._buffer) >= size:
            message, self._buffer = self._buffer[:size], self._buffer[size:]
            if self._started:
                self._heard.append(chr(message[0]))
            elif int.from_bytes(message[4:8], "big") not in _ENCRYPTION_REQUESTS:
                self._started = True

    def _size(self) -> int:
        """Of the next message, with its head; 0 when too little of it is there."""
        head = 1 if self._started else 0
        return head + int.from_bytes(self._buffer[head : head + 4], "big") if len(self._buffer) >= head + 4 else 0
