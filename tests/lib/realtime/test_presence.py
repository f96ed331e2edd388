"""Who is there: a person once, on every worker, also when a worker is killed."""

import asyncio
from uuid import UUID

from sqlalchemy import text

from tests.lib.realtime.bench import Bench, Peer, Worker, somebody
from tests.support.waiting import until, until_it_holds


def names(members: list[dict[str, str]]) -> list[str]:
    return sorted(each["name"] for each in members)


def seen(peer: Peer) -> tuple[list[str], list[str]]:
    """Who has come and who has gone, as the peer was told."""
    frames = peer.wire.of_type("presence")
    joined = [member["name"] for frame in frames for member in frame["join"]]
    left = [member["name"] for frame in frames for member in frame["leave"]]
    return joined, left


async def rows(worker: Worker, table: str) -> int:
    async with worker.database.engine.begin() as connection:
        found: int = (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()  # noqa: S608 - ours
        return found


async def test_a_person_comes_once_and_goes_once(shared_bench: Bench) -> None:
    one, two = await shared_bench.worker(), await shared_bench.worker()
    bob = somebody("bob")
    here = one.connect(somebody("ada"))
    assert names((await here.subscribe("room:x"))["presence"]) == ["ada"]
    first, second = one.connect(bob), two.connect(bob)

    assert names((await first.subscribe("room:x"))["presence"]) == ["ada", "bob"]
    assert names((await second.subscribe("room:x"))["presence"]) == ["ada", "bob"]
    first.wire.go()
    await first.gone()
    await second.ask("unsubscribed", type="unsubscribe", channel="room:x")
    await until(lambda: seen(here)[1] == ["bob"])

    assert seen(here) == (["bob"], ["bob"])
    assert seen(first) == ([], []), "nobody is told of themselves"


async def test_it_is_shown_everywhere_within_a_moment(shared_bench: Bench) -> None:
    workers = [await shared_bench.worker() for _ in range(3)]
    person = somebody("watcher")
    watchers = [worker.connect(person) for worker in workers]
    for watcher in watchers:
        await watcher.subscribe("room:x")
    people = [(workers[n % 3], somebody(f"p{n:02}")) for n in range(30)]

    peers = [worker.connect(person) for worker, person in people]
    await asyncio.gather(*(peer.subscribe("room:x") for peer in peers))
    await until(lambda: all(len(seen(watcher)[0]) == 30 for watcher in watchers))
    for peer in peers[:20]:
        peer.wire.go()
    await until(lambda: all(len(seen(watcher)[1]) == 20 for watcher in watchers))

    for watcher in watchers:
        assert sorted(seen(watcher)[0]) == [f"p{n:02}" for n in range(30)]
        assert sorted(seen(watcher)[1]) == [f"p{n:02}" for n in range(20)]
    late = workers[1].connect(somebody("late"))
    assert len((await late.subscribe("room:x"))["presence"]) == 12

    async def are_gone() -> bool:
        return await rows(workers[0], "realtime_sockets") == 14

    await until_it_holds(are_gone)


async def test_after_a_kill_its_people_are_gone(shared_bench: Bench) -> None:
    one, two = await shared_bench.worker(), await shared_bench.worker()
    ada, bob, eve = somebody("ada"), somebody("bob"), somebody("eve")
    here = one.connect(ada)
    await here.subscribe("room:x")
    await one.connect(eve).subscribe("room:x")
    for person in (bob, eve):
        await two.connect(person).subscribe("room:x")
    await until(lambda: sorted(seen(here)[0]) == ["bob", "eve"])

    await two.die()
    await until(lambda: seen(here)[1] == ["bob"])

    assert seen(here)[1] == ["bob"], "eve has another socket"
    assert await rows(one, "realtime_nodes") == 1
    assert await rows(one, "realtime_sockets") == 2
    assert await rows(one, "realtime_presence") == 2


async def test_of_several_survivors_one_says_farewell(shared_bench: Bench) -> None:
    workers = [await shared_bench.worker() for _ in range(3)]
    listener = workers[0].connect()
    await listener.subscribe("lobby")
    peer = workers[2].connect()
    await peer.subscribe("lobby")
    labelled = workers[2].labelled("the one who was killed")
    await labelled.subscribe("lobby")

    await workers[2].die()
    (event,) = await listener.wire.until("event")
    await asyncio.sleep(1.5)

    assert (event["event"], event["data"]) == ("left", "the one who was killed")
    assert len(listener.wire.of_type("event")) == 1


async def test_who_goes_is_said_farewell(bench: Bench) -> None:
    worker = await bench.worker()
    listener, peer = worker.connect(), worker.labelled("gone")
    await listener.subscribe("lobby")
    await peer.subscribe("lobby")

    peer.wire.go()

    (event,) = await listener.wire.until("event")
    assert (event["event"], event["data"]) == ("left", "gone")


async def test_one_who_was_taken_for_dead_comes_back(shared_bench: Bench) -> None:
    """Its process was stopped for a while, or it could not reach the database."""
    one, two = await shared_bench.worker(), await shared_bench.worker()
    here, there = one.connect(somebody("ada")), two.connect(somebody("bob"))
    await here.subscribe("room:x")
    await there.subscribe("room:x")
    await until(lambda: seen(here)[0] == ["bob"])

    async with one.database.engine.begin() as connection:
        node_id: UUID = two.realtime._node.id
        value = node_id.hex if one.database.url.is_sqlite else node_id
        await connection.exec_driver_sql(f"DELETE FROM realtime_nodes WHERE id = '{value}'")  # noqa: S608 - an id of ours
        await connection.exec_driver_sql("UPDATE realtime_channels SET presence_version = presence_version + 1")

    async def is_back() -> bool:
        return await rows(one, "realtime_presence") == 2

    await until_it_holds(is_back)
    late = one.connect(somebody("late"))
    assert names((await late.subscribe("room:x"))["presence"]) == ["ada", "bob", "late"]
    await until(lambda: seen(here)[0].count("bob") == seen(here)[1].count("bob") + 1)
    assert there.wire.closed is None
    await one.publish("room:x", "still there")
    await there.wire.until("event")


async def test_a_worker_that_ends_takes_everything_along(shared_bench: Bench) -> None:
    one, two = await shared_bench.worker(), await shared_bench.worker()
    here, there = one.connect(somebody("ada")), two.connect(somebody("bob"))
    await here.subscribe("room:x")
    await there.subscribe("room:x")
    await until(lambda: seen(here)[0] == ["bob"])

    await two.realtime.close()

    assert await there.gone() == (1012, "restarting")
    await until(lambda: seen(here)[1] == ["bob"])
    assert await rows(one, "realtime_nodes") == 1


async def test_at_rest_nothing_is_written(bench: Bench) -> None:
    worker = await bench.worker()
    peer = worker.connect()
    await peer.subscribe("room:x")
    assert await rows(worker, "realtime_nodes") == 1

    peer.wire.go()

    async def is_empty() -> bool:
        return not await rows(worker, "realtime_nodes")

    await until_it_holds(is_empty)
    versions = "SELECT sum(presence_version) FROM realtime_channels"
    async with worker.database.engine.begin() as connection:
        before = (await connection.execute(text(versions))).scalar_one()
    await asyncio.sleep(1)
    async with worker.database.engine.begin() as connection:
        assert (await connection.execute(text(versions))).scalar_one() == before
    assert await rows(worker, "realtime_nodes") == 0
