"""WebSockets of an app under test, opened in the test's own event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from litestar import Litestar

from tests.support.apps import ADDRESS
from tests.support.waiting import PATIENCE

REALTIME = "/api/v1/realtime"

Frame = dict[str, Any]


class Refused(Exception):
    """The handshake was answered with something else."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.headers = headers
        self.problem: Frame = msgspec.json.decode(body) if body else {}


class Closed(Exception):
    """The service has closed the socket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code


class SocketClient:
    """The client's side of a socket."""

    def __init__(self, app: Litestar, scope: dict[str, Any]) -> None:
        self._scope = scope
        self._app: Any = app
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.headers: dict[str, str] = {}

    async def open(self) -> None:
        """Raises ``Refused``."""
        await self._to_app.put({"type": "websocket.connect"})
        self._task = asyncio.create_task(self._app(self._scope, self._to_app.get, self._from_app.put))
        answer = await self._next()
        headers = {name.decode(): value.decode() for name, value in answer.get("headers") or ()}
        if answer["type"] == "websocket.http.response.start":
            raise Refused(answer["status"], headers, (await self._next())["body"])
        if answer["type"] == "websocket.close":
            raise Refused(403, {}, b"")
        assert answer["type"] == "websocket.accept"
        self.headers = headers

    async def send(self, **frame: Any) -> None:
        """A frame of JSON."""
        await self.send_text(msgspec.json.encode(frame).decode())

    async def send_text(self, text: str) -> None:
        await self._to_app.put({"type": "websocket.receive", "text": text, "bytes": None})

    async def send_bytes(self, data: bytes) -> None:
        await self._to_app.put({"type": "websocket.receive", "text": None, "bytes": data})

    async def receive_text(self, seconds: float = PATIENCE) -> str:
        """The next message. Raises ``Closed``, and ``TimeoutError`` when nothing comes."""
        message = await self._next(seconds)
        if message["type"] == "websocket.close":
            raise Closed(message["code"], message.get("reason") or "")
        text: str = message["text"]
        return text

    async def receive(self, seconds: float = PATIENCE) -> Frame:
        """The next frame, pings aside."""
        while True:
            frame: Frame = msgspec.json.decode(await self.receive_text(seconds))
            if frame["type"] != "ping":
                return frame

    async def subscribe(self, channel: str, since: int | None = None) -> Frame:
        """The answer to it."""
        await self.send(type="subscribe", channel=channel, since=since)
        return await self.receive()

    async def until_closed(self, seconds: float = PATIENCE) -> int:
        """The code that the service closes with, after all that comes before."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.receive_text(seconds)
        except Closed as closed:
            return closed.code

    async def is_quiet(self, seconds: float = 0.3) -> bool:
        """Whether nothing comes for a while."""
        try:
            await self.receive(seconds)
        except TimeoutError:
            return True
        return False

    async def leave(self) -> None:
        """As if the connection was lost."""
        await self._to_app.put({"type": "websocket.disconnect", "code": 1006})
        if self._task is not None:
            await asyncio.wait_for(self._task, PATIENCE)

    async def _next(self, seconds: float = PATIENCE) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            return await self._from_app.get()


@asynccontextmanager
async def connected(
    app: Litestar,
    path: str = REALTIME,
    *,
    token: str | None = None,
    authorization: str | None = None,
    origin: str | None = None,
    host: str = "testserver",
    address: str = ADDRESS,
    extensions: bool = True,
    ticket: str | None = None,
    query: str = "",
) -> AsyncIterator[SocketClient]:
    """An open socket. Raises ``Refused``."""
    headers = [(b"host", host.encode())]
    if token is not None:
        authorization = f"Bearer {token}"
    if authorization is not None:
        headers.append((b"authorization", authorization.encode()))
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    socket = SocketClient(
        app,
        {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": quote(path).encode(),
            "root_path": "",
            "query_string": (query or urlencode({} if ticket is None else {"ticket": ticket})).encode(),
            "headers": headers,
            "client": (address, 54321),
            "server": ("testserver", 80),
            "subprotocols": [],
            "state": {},
            "extensions": {"websocket.http.response": {}} if extensions else {},
        },
    )
    try:
        await socket.open()
        yield socket
    finally:
        await socket.leave()
