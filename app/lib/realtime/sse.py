"""Server-Sent Events (HTML Living Standard, section 9.2) over ASGI."""

import asyncio
import re
from contextlib import AsyncExitStack
from typing import Any

from litestar import Response
from litestar.types import ASGIApp, Receive, Scope, Send

from app.lib.realtime.stream import Stream, StreamItem

CLOSE_SECONDS = 5.0
"""How long a peer that reads nothing may hold up the end of its stream."""

_RETRY_MILLISECONDS = 2_000
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class EventStreamResponse(Response[None]):
    """What comes on a stream, until it ends. ``stack`` is closed then, whatever happens."""

    def __init__(self, stream: Stream, stack: AsyncExitStack) -> None:
        super().__init__(None)
        self._stream = stream
        self._stack = stack

    def to_asgi_response(self, *_arguments: Any, **_options: Any) -> ASGIApp:
        """The stream itself."""
        return _EventStream(self._stream, self._stack)


class _EventStream:
    def __init__(self, stream: Stream, stack: AsyncExitStack) -> None:
        self._stream = stream
        self._stack = stack

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            start: Any = {"type": "http.response.start", "status": 200, "headers": _HEADERS}
            await send(start)
            await self._run(receive, send)

    async def _run(self, receive: Receive, send: Send) -> None:
        writing = asyncio.create_task(self._write(send))
        leaving = asyncio.create_task(_until_gone(receive))
        ending = asyncio.create_task(self._stream.until_closed())
        tasks = (writing, leaving, ending)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not leaving.done():
                await asyncio.wait({writing, leaving}, timeout=CLOSE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, send: Send) -> None:
        await _send(send, f"retry: {_RETRY_MILLISECONDS}\n\n")
        async for item in self._stream.items():
            await _send(send, encode_item(item))
        await _send(send, "", more=False)


def encode_item(item: StreamItem) -> str:
    """As it goes over the wire. JSON may be spread over lines, and then so is the data."""
    if item.text is None:
        return ": ping\n\n"
    lines = [f"event: {item.kind}", *(f"data: {line}" for line in _LINE_ENDS.split(item.text))]
    if item.position is not None:
        lines.append(f"id: {item.position}")
    return "\n".join(lines) + "\n\n"


async def _send(send: Send, text: str, *, more: bool = True) -> None:
    message: Any = {"type": "http.response.body", "body": text.encode(), "more_body": more}
    await send(message)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
