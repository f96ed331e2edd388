from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.clients.driven import CLIENTS, Client
from tests.clients.scripted import ScriptedServer

Connect = Callable[..., Awaitable[Client]]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().running() as server:
        yield server


@pytest_asyncio.fixture(params=list(CLIENTS))
async def connect(request: pytest.FixtureRequest, server: ScriptedServer) -> AsyncIterator[Connect]:
    """Starts a client of either language; it is closed at the end."""
    async with AsyncExitStack() as stack:

        async def start(*tokens: str, silence: float = 60.0) -> Client:
            client = CLIENTS[request.param](server.url, tokens or ("token",), silence)
            await client.start()
            stack.push_async_callback(client.close)
            return client

        yield start
