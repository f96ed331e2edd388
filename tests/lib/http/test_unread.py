"""Answers that no client reads: they are handed out in pieces, and end."""

import asyncio
from typing import Any

import pytest
from litestar.types import Receive, Scope, Send

from app.lib.http.heads import CHUNK
from tests.lib.http.toys import in_shell

pytestmark = pytest.mark.asvs("15.2.2")

LONG = bytes(range(256)) * 4_000


async def answer_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-length", str(len(LONG)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": LONG, "more_body": False})


async def answer_in_parts(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(4):
        await send({"type": "http.response.body", "body": LONG, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class Server:
    """Takes a number of messages, and then waits for ever, as for a client that does not read."""

    def __init__(self, takes: int = 10_000) -> None:
        self.sent: list[Any] = []
        self._takes = takes

    async def ask(self, app: Any, **options: Any) -> None:
        scope: Any = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "state": {}}
        scope |= {"http_version": "1.0"}
        await in_shell(app, **options)(scope, self._receive, self._send)

    async def _receive(self) -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Any) -> None:
        if len(self.sent) >= self._takes:
            await asyncio.Event().wait()
        self.sent.append(message)


@pytest.mark.parametrize(("app", "body"), [(answer_at_once, LONG), (answer_in_parts, LONG * 4)])
async def test_a_long_answer_goes_in_pieces(app: Any, body: bytes) -> None:
    server = Server()
    await server.ask(app)
    start, *pieces = server.sent
    assert start["status"] == 200
    assert max(len(each["body"]) for each in pieces) <= CHUNK
    assert b"".join(each["body"] for each in pieces) == body
    assert [each["more_body"] for each in pieces] == [True] * (len(pieces) - 1) + [False]


async def test_an_answer_that_is_not_read_ends_without_an_error() -> None:
    server = Server(takes=3)
    await server.ask(answer_at_once, response_idle_seconds=0.05)  # shorter than its length: the server closes
    assert len(server.sent) == 3


async def test_a_stream_that_is_not_read_is_cut() -> None:
    server = Server(takes=3)
    with pytest.raises(TimeoutError):  # else the server would send the end of a stream that has none
        await server.ask(answer_in_parts, response_idle_seconds=0.05)
    assert server.sent[-1]["more_body"]
