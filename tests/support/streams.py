"""Server-Sent Events of an app under test, read in the test's own event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Litestar

from tests.support.apps import ADDRESS
from tests.support.sockets import Frame, Refused
from tests.support.waiting import PATIENCE

EVENTS = "/api/v1/realtime/events"


class ServerEvent(msgspec.Struct):
    """One event as EventSource would see it; ``kind`` is ``comment`` for a sign of life."""

    kind: str = "message"
    data: str = ""
    id: str | None = None

    @property
    def frame(self) -> Frame:
        """The frame in it."""
        decoded: Frame = msgspec.json.decode(self.data)
        return decoded


class StreamClient:
    """The client's side of a stream."""

    def __init__(self, app: Litestar, scope: dict[str, Any]) -> None:
        self._app: Any = app
        self._scope = scope
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._buffer = ""
        self._task: asyncio.Task[None] | None = None
        self.headers: dict[str, str] = {}
        self.last_id: str | None = None

    async def open(self) -> None:
        """Raises ``Refused``."""
        await self._to_app.put({"type": "http.request", "body": b"", "more_body": False})
        self._task = asyncio.create_task(self._app(self._scope, self._to_app.get, self._from_app.put))
        start = await self._next()
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        if start["status"] != 200:
            raise Refused(start["status"], self.headers, (await self._next())["body"])

    async def event(self) -> ServerEvent | None:
        """The next event, with ``retry`` aside; None at the end of the stream."""
        while True:
            while "\n\n" not in self._buffer:
                message = await self._next()
                self._buffer += message["body"].decode()
                if not message["more_body"]:
                    return None
            block, self._buffer = self._buffer.split("\n\n", 1)
            if not block.startswith("retry:"):
                return self._parse(block)

    async def frame(self) -> Frame:
        """The frame in the next event."""
        event = await self.event()
        assert event is not None, "the stream has ended"
        return event.frame

    async def until_end(self) -> list[ServerEvent]:
        """What comes before the end."""
        found = []
        async with asyncio.timeout(PATIENCE):
            while (event := await self.event()) is not None:
                found.append(event)
        return found

    async def leave(self) -> None:
        """As if the connection was lost."""
        await self._to_app.put({"type": "http.disconnect"})
        if self._task is not None:
            await asyncio.wait_for(self._task, PATIENCE)

    def _parse(self, block: str) -> ServerEvent:
        event, data = ServerEvent(), []
        for line in block.splitlines():
            name, _, value = line.partition(": ")
            match name:
                case "event":
                    event.kind = value
                case "data":
                    data.append(value)
                case "id":
                    event.id = self.last_id = value
                case _:
                    event.kind = "comment"
        event.data = "\n".join(data)
        return event

    async def _next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self._from_app.get()


@asynccontextmanager
async def listening(
    app: Litestar,
    channels: str,
    *,
    token: str | None = None,
    last_event_id_header: str | None = None,
    method: str = "GET",
    **query: str,
) -> AsyncIterator[StreamClient]:
    """An open stream. Raises ``Refused``."""
    headers = [(b"host", b"testserver"), (b"accept", b"text/event-stream")]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    if last_event_id_header is not None:
        headers.append((b"last-event-id", last_event_id_header.encode()))
    stream = StreamClient(
        app,
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": EVENTS,
            "raw_path": EVENTS.encode(),
            "root_path": "",
            "query_string": urlencode({"channels": channels, **query}).encode(),
            "headers": headers,
            "client": (ADDRESS, 54321),
            "server": ("testserver", 80),
            "state": {},
            "extensions": {},
        },
    )
    try:
        await stream.open()
        yield stream
    finally:
        await stream.leave()
