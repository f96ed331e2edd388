"""The server of probes: clients that say nothing do not keep others from their answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from app.lib.serving import embedded
from app.lib.serving.addresses import claim
from tests.support.processes import NO_TLS, PATIENCE, free_port


async def alive(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"alive"})


@asynccontextmanager
async def probes() -> AsyncGenerator[tuple[int, httpx.AsyncClient]]:
    """The port, once it answers, and a client."""
    port = free_port()
    [place] = claim("127.0.0.1", port, 1)
    transport = httpx.AsyncHTTPTransport(verify=NO_TLS, retries=10)
    async with embedded.listening(alive, place), httpx.AsyncClient(transport=transport, timeout=PATIENCE) as client:
        await client.get(f"http://127.0.0.1:{port}/", headers={"Connection": "close"})
        yield port, client


async def test_silent_connections_end_and_take_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_PROBE_SECONDS", 0.5)
    async with probes() as (port, client):
        url = f"http://127.0.0.1:{port}/"
        with ExitStack() as stack:
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
            for _, writer in silent:
                stack.callback(writer.close)
            assert (await client.get(url)).text == "alive"
            async with asyncio.timeout(PATIENCE):
                for reader, _ in silent:
                    assert await reader.read() == b""


async def test_an_address_has_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_PROBES_PER_ADDRESS", 2)
    async with probes() as (port, _):
        connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        ends = [asyncio.create_task(reader.read()) for reader, _ in connections]
        async with asyncio.timeout(PATIENCE):
            for number, end in enumerate(asyncio.as_completed(ends)):
                assert await end == b""
                if number == 2:
                    break
        for end in ends:
            end.cancel()
        for _, writer in connections:
            writer.close()
