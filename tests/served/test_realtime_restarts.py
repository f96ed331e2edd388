"""What people on sockets hear when the server ends."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from app.lib.db.url import DatabaseURL
from tests.served.harbour import API, Harbour
from tests.support.databases import migrate, postgresql_database
from tests.support.people import Person
from tests.support.websocket import WebSocket, connect

CREW, EACH = 20, 10
RESTARTING = 1012


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[DatabaseURL]:
    """A migrated database of the test's own."""
    with postgresql_database(request.getfixturevalue("postgresql")) as url:
        migrate(url)
        yield url


@pytest_asyncio.fixture
async def harbour(url: DatabaseURL, tmp_path: Path) -> AsyncIterator[Harbour]:
    """With two workers."""
    harbour = Harbour(url, tmp_path, workers=2, redis_url=None)
    try:
        await harbour.open()
        yield harbour
    finally:
        await harbour.close()


async def test_everybody_hears_of_a_restart(harbour: Harbour) -> None:
    """The lobby is the hardest: at the end all see all others leave."""
    people = [await harbour.member(f"Sailor {number}") for number in range(CREW)]
    sockets = [await board(harbour, person, number) for person in people for number in range(EACH)]
    listening = [asyncio.create_task(until_closed(socket)) for socket in sockets]
    stream = asyncio.create_task(listen(harbour, await harbour.member("Ada")))
    await asyncio.sleep(1)

    assert await asyncio.to_thread(harbour.server.end) == 0

    assert Counter(await asyncio.gather(*listening)) == {RESTARTING: CREW * EACH}
    assert (await stream)[-3:] == ["event: close", 'data: {"code":1012}', ""]
    assert "panicked" not in harbour.server.output + harbour.server.errors
    async with harbour.core.database.engine.connect() as connection:
        left = await connection.execute(text("SELECT count(*) FROM realtime_processes"))
        assert left.scalar_one() == 0, "the lifespan's shutdown has not run"


async def board(harbour: Harbour, person: Person, number: int) -> WebSocket:
    """Every other socket is one of the lobby."""
    path = f"/ws/{person.id}-{number}" if number % 2 else f"{API}/realtime"
    socket = await connect(harbour.port, path, {"Authorization": person.headers["Authorization"]})
    if not number % 2:
        await socket.send({"type": "subscribe", "channel": harbour.channel})
    return socket


async def until_closed(socket: WebSocket) -> int | None:
    """As a client does it: hears everything, and answers the closing."""
    while await socket.receive() is not None:
        pass
    with suppress(OSError):
        await socket.answer_close()
    return socket.close_code


async def listen(harbour: Harbour, person: Person) -> list[str]:
    """The lines of a stream, to its end."""
    url = f"{harbour.address}{API}/realtime/events?channels=posts"
    async with (
        httpx.AsyncClient(headers=person.headers, timeout=60) as client,
        client.stream("GET", url) as response,
    ):
        return [line async for line in response.aiter_lines()]
