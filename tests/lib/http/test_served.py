"""The shell behind a real granian, spoken to through raw sockets: what no in-process client can show."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.asvs("15.2.2")

ROOT = Path(__file__).parents[3]
POST = b"POST /notes HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"


class Served(NamedTuple):
    port: int
    log: Path

    def logged(self, request_id: str, within: float = PATIENCE) -> str:
        """The lines about a request, once its access line is there."""
        deadline = time.monotonic() + within
        while True:
            lines = [line for line in self.log.read_text().splitlines() if request_id in line]
            if any('"event":"request"' in line for line in lines) or time.monotonic() > deadline:
                return "\n".join(lines)
            time.sleep(0.02)


class Reply(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for header, value in self.headers if header == name]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("served") / "log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--no-ws", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own toy
            [*command, "tests.lib.http.served:create_app"],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(port, process, log)
            yield Served(port, log)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, *, head: bool = False) -> Reply:
        """The next response; the connection stays open if the server leaves it open."""
        return await asyncio.wait_for(self._reply(head=head), PATIENCE)

    async def _reply(self, *, head: bool) -> Reply:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = [(line.split(":", 1)[0].lower(), line.split(":", 1)[1].strip()) for line in lines[1:] if line]
        reply = Reply(int(lines[0].split()[1]), headers, b"")
        if head or reply.status in {204, 304}:
            return reply
        if "chunked" in reply.all("transfer-encoding"):
            return reply._replace(body=await self._chunks())
        return reply._replace(body=await self.reader.readexactly(int(reply.all("content-length")[0])))

    async def _chunks(self) -> bytes:
        body = b""
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            body += (await self.reader.readexactly(size + 2))[:-2]
            if not size:
                return body

    async def closed(self) -> bool:
        """Whether the server closes the connection after what it has sent."""
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(self.reader.read(), PATIENCE)
        return self.reader.at_eof()


@asynccontextmanager
async def connect(served: Served) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_response_names_no_software(served: Served) -> None:
    async with connect(served) as connection:
        for target in (b"/plain", b"/nowhere", b"/bug"):
            await connection.write(b"GET " + target + b" HTTP/1.1\r\nHost: t\r\n\r\n")
            assert (await connection.reply()).all("server") == [""]


async def test_a_body_that_never_comes_is_408(served: Served) -> None:
    async with connect(served) as connection:
        await connection.write(POST + b"Content-Length: 20\r\n\r\n")
        reply = await connection.reply()

        assert reply.status == 408
        assert b'"code":"request_timeout"' in reply.body
        assert reply.all("content-type") == ["application/problem+json"]
        assert reply.all("connection") == ["close"]
        assert await connection.closed()


async def test_a_body_that_stops_half_way_is_408(served: Served) -> None:
    async with connect(served) as connection:
        await connection.write(POST + b'Content-Length: 20\r\n\r\n{"text":')

        assert (await connection.reply()).status == 408


async def test_a_body_that_drips_is_408(served: Served) -> None:
    """Never silent for as long as may be, but it takes too long altogether."""
    async with connect(served) as connection:
        await connection.write(POST + b"Content-Length: 900\r\n\r\n")

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    await connection.write(b" ")
                    await asyncio.sleep(0.1)

        dripping = asyncio.create_task(drip())
        reply = await connection.reply()
        dripping.cancel()

    assert reply.status == 408


async def test_a_body_in_pieces_is_fine_while_it_comes(served: Served) -> None:
    async with connect(served) as connection:
        await connection.write(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in (b'{"text"', b': "in ', b'pieces"}'):
            await connection.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await asyncio.sleep(0.05)
        await connection.write(b"0\r\n\r\n")
        reply = await connection.reply()

    assert (reply.status, reply.body) == (201, b'{"text":"in pieces"}')


async def test_a_client_that_leaves_is_no_error(served: Served) -> None:
    async with connect(served) as connection:
        await connection.write(POST + b"X-Request-ID: gone-in-the-middle\r\nContent-Length: 500\r\n\r\n{")
        await asyncio.sleep(0.1)

    log = await asyncio.to_thread(served.logged, "gone-in-the-middle")
    assert '"status":408' in log
    assert "request.failed" not in log


async def test_an_announced_body_over_the_limit_is_refused_before_it_comes(served: Served) -> None:
    async with connect(served) as connection:
        await connection.write(POST + b"Content-Length: 3000000\r\n\r\n")
        reply = await connection.reply()

    assert reply.status == 413
    assert b'"code":"payload_too_large"' in reply.body


async def test_a_chunked_body_over_the_limit_is_413(served: Served) -> None:
    async with connect(served) as connection:
        await connection.write(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):  # the server may close before it has read all
            for _ in range(30):
                await connection.write(b"64\r\n" + b" " * 100 + b"\r\n")
        reply = await connection.reply()

    assert reply.status == 413


async def test_an_unread_body_does_not_spoil_the_connection(served: Served) -> None:
    async with connect(served) as connection:
        await connection.write(b"GET /plain HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nwhatever!")
        assert (await connection.reply()).status == 200
        await connection.write(b"POST /poke HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nwhatever!")
        assert (await connection.reply()).status == 415
        await connection.write(b"GET /plain HTTP/1.1\r\nHost: t\r\n\r\n")
        assert (await connection.reply()).body == b'{"said":"hello"}'


async def test_a_body_that_is_refused_is_read_so_that_the_answer_arrives(served: Served) -> None:
    """Proxies that send all before they read would answer 502, and take the service for broken."""
    async with connect(served) as connection:
        for size in (b"100000", b"2900000"):
            await connection.write(b"POST /nowhere HTTP/1.1\r\nHost: t\r\nContent-Length: " + size + b"\r\n\r\n")
            await connection.write(b"x" * int(size))
            reply = await connection.reply()

            assert reply.status == 404
            assert reply.all("connection") == []


@pytest.mark.parametrize("head", [b"Content-Length: 9000000", b"Content-Length: 100000\r\nExpect: 100-continue"])
async def test_a_response_before_the_body_was_read_announces_the_end_of_the_connection(
    served: Served, head: bytes
) -> None:
    """It is too long, or the client waits with it."""
    async with connect(served) as connection:
        await connection.write(b"POST /nowhere HTTP/1.1\r\nHost: t\r\n" + head + b"\r\n\r\n")
        if b"Expect" not in head:
            await connection.write(b"x" * 3_100_000)
        reply = await connection.reply()

        assert reply.status == 404
        assert reply.all("connection") == ["close"]
        assert await connection.closed()


async def test_a_small_body_that_is_refused_unread_leaves_the_connection_open(served: Served) -> None:
    async with connect(served) as connection:
        for _ in range(3):
            await connection.write(b"POST /nowhere HTTP/1.1\r\nHost: t\r\nContent-Length: 4000\r\n\r\n" + b"x" * 4_000)
            reply = await connection.reply()
            assert reply.status == 404
            assert reply.all("connection") == []


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"HTTP/1.1\r\nHost: api.example.com:8000", 200),
        (b"HTTP/1.1\r\nHost: [::1]", 200),
        (b"HTTP/1.1\r\nHost: my_service", 200),
        (b"HTTP/1.0", 200),
        (b"HTTP/1.1", 400),
        (b"HTTP/1.1\r\nHost:", 400),
        (b"HTTP/1.1\r\nHost: t\r\nHost: t", 400),
        (b"HTTP/1.1\r\nHost: t\r\nX-Other: 1\r\nHost:", 400),
        (b"HTTP/1.1\r\nHost: exa mple", 400),
        (b"HTTP/1.1\r\nHost: evil.example/path", 400),
        (b"HTTP/1.1\r\nHost: me@evil.example", 400),
        (b"HTTP/1.1\r\nHost: t:port", 400),
        (b"HTTP/1.1\r\nHost: ::1", 400),
        (b"HTTP/1.1\r\nHost: \xff", 400),
        (b"HTTP/1.0\r\nHost: a\r\nHost: b", 400),
        (b"HTTP/1.1\r\nHost: a,b", 400),
        (b"HTTP/1.1\r\nHost: t\r\nOrigin: http://a\r\nOrigin: http://b", 400),
        (b'HTTP/1.1\r\nHost: t\r\nIf-Match: "1"\r\nIf-Match: "2"', 400),
        (b"HTTP/1.1\r\nHost: t\r\nLast-Event-ID: 1\r\nLast-Event-ID: 2", 400),
        (b"HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        (b"HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked", 400),
        (b"HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2", 200),
    ],
)
async def test_a_head_is_good_and_not_ambiguous(served: Served, lines: bytes, status: int) -> None:
    async with connect(served) as connection:
        await connection.write(b"GET /plain " + lines + b"\r\nConnection: close\r\n\r\n")
        reply = await connection.reply()

    assert reply.status == status
    if status != 200:
        assert reply.all("content-type") == ["application/problem+json"]
        assert b'"code":"malformed_json"' in reply.body


async def test_large_headers_are_431(served: Served) -> None:
    async with connect(served) as connection:
        await connection.write(b"GET /plain HTTP/1.1\r\nHost: t\r\nX-Big: " + b"x" * 40_000 + b"\r\n\r\n")
        reply = await connection.reply()

    assert reply.status == 431
    assert b'"code":"payload_too_large"' in reply.body


async def test_enormous_headers_are_the_servers_own_431(served: Served) -> None:
    async with connect(served) as connection:
        with contextlib.suppress(ConnectionError):
            await connection.write(b"GET /plain HTTP/1.1\r\nHost: t\r\nX-Big: " + b"x" * 1_000_000 + b"\r\n\r\n")
        reply = await connection.reply()

    assert reply.status == 431


@pytest.mark.parametrize("target", [b"/stream", b"/endless"])
async def test_head_on_a_stream_ends_and_leaves_the_connection_usable(served: Served, target: bytes) -> None:
    async with connect(served) as connection:
        await connection.write(b"HEAD " + target + b" HTTP/1.1\r\nHost: t\r\n\r\n")
        head = await connection.reply(head=True)
        await connection.write(b"GET /plain HTTP/1.1\r\nHost: t\r\n\r\n")
        after = await connection.reply()

    assert head.status == 200
    assert after.body == b'{"said":"hello"}'


async def test_a_stream_arrives(served: Served) -> None:
    async with connect(served) as connection:
        await connection.write(b"GET /stream HTTP/1.1\r\nHost: t\r\n\r\n")

        assert (await connection.reply()).body == b"one two three"


async def test_a_response_that_breaks_off_is_seen_to_be_broken(served: Served) -> None:
    async with connect(served) as connection:
        await connection.write(b"GET /breaks-off HTTP/1.1\r\nHost: t\r\nX-Request-ID: breaks-off-1\r\n\r\n")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await connection.reply()

    log = await asyncio.to_thread(served.logged, "breaks-off-1")
    assert "request.failed" in log
    assert "ZeroDivisionError" in log


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /%00 HTTP/1.1",
        b"GET /%ff%fe HTTP/1.1",
        b"GET /%zz HTTP/1.1",
        b"GET /% HTTP/1.1",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1",
        b"GET /..%2f..%2fetc HTTP/1.1",
        b"GET //plain HTTP/1.1",
        b"GET /plain?%zz=%&%00 HTTP/1.1",
        b"GET /plain?" + b"a=b&" * 5_000 + b" HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET http://evil.example/plain HTTP/1.1",
        b"BREW /plain HTTP/1.1",
    ],
)
async def test_odd_request_lines_are_no_server_errors(served: Served, request_line: bytes) -> None:
    async with connect(served) as connection:
        await connection.write(request_line + b"\r\nHost: t\r\n\r\n")
        reply = await connection.reply()

    assert reply.status < 500
    if reply.status >= 400:
        assert reply.all("content-type") == ["application/problem+json"]
