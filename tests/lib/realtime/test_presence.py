"""Presence: a person once, on every worker, also when a worker is killed."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from app.lib.realtime.errors import TooManyConnections
from app.lib.realtime.protocols import Connection
from tests.lib.realtime.bench import Bench, Peer, Wire, Worker, a_user
from tests.support.waiting import until, until_it_holds


def names(members: list[dict[str, str]]) -> list[str]:
    return sorted(each["name"] for each in members)


def seen(peer: Peer) -> tuple[list[str], list[str]]:
    """Who has come and who has gone, as the peer sees it."""
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
    bob = a_user("bob")
    here = one.connect(a_user("ada"))
    assert names((await here.subscribe("room:x"))["presence"]) == ["ada"]
    first, second = one.connect(bob), two.connect(bob)

    assert names((await first.subscribe("room:x"))["presence"]) == ["ada", "bob"]
    assert names((await second.subscribe("room:x"))["presence"]) == ["ada", "bob"]
    first.wire.go()
    await first.gone()
    await second.ask("unsubscribed", type="unsubscribe", channel="room:x")
    await until(lambda: seen(here)[1] == ["bob"])

    assert seen(here) == (["bob"], ["bob"])
    assert seen(first) == ([], []), "people do not see themselves come"


async def test_a_person_who_moves_while_the_others_are_read_does_not_go(shared_bench: Bench) -> None:
    """One worker is slow: by the time it has read that Bob is not on the other worker, he has moved there."""
    one, two = await shared_bench.worker(), await shared_bench.worker()
    bob = a_user("bob")
    here, first = one.connect(a_user("ada")), one.connect(bob)
    await here.subscribe("room:x")
    await first.subscribe("room:x")
    registry: Any = one.realtime._registry
    present, has_read, may_go_on = registry.present, asyncio.Event(), asyncio.Event()

    async def slowly(channels: set[str]) -> object:
        found = await present(channels)
        has_read.set()
        await may_go_on.wait()
        return found

    registry.present = slowly
    await has_read.wait()
    second = two.connect(bob)
    await second.subscribe("room:x")
    first.wire.go()
    await first.gone()
    may_go_on.set()
    await two.connect(a_user("eve")).subscribe("room:x")
    await until(lambda: "eve" in seen(here)[0])
    assert seen(here) == (["bob", "eve"], [])
    await second.ask("unsubscribed", type="unsubscribe", channel="room:x")
    await until(lambda: seen(here)[1] == ["bob"])


async def test_it_is_shown_everywhere(shared_bench: Bench) -> None:
    workers = [await shared_bench.worker() for _ in range(3)]
    person = a_user("watcher")
    watchers = [worker.connect(person) for worker in workers]
    for watcher in watchers:
        await watcher.subscribe("room:x")
    names = [f"p{n:02}" for n in range(30)]
    people = [(workers[n % 3], a_user(name)) for n, name in enumerate(names)]

    def all_see(expected: list[str]) -> bool:
        """A worker that is slow for long seems to be gone, so its people may go and come back."""
        shown = [Counter(seen(watcher)[0]) - Counter(seen(watcher)[1]) for watcher in watchers]
        return shown == [Counter(expected)] * 3

    peers = [worker.connect(person) for worker, person in people]
    await asyncio.gather(*(peer.subscribe("room:x") for peer in peers))
    await until(lambda: all_see(names))
    for peer in peers[:20]:
        peer.wire.go()
    await until(lambda: all_see(names[20:]))
    late = workers[1].connect(a_user("late"))
    assert len((await late.subscribe("room:x"))["presence"]) == 12

    async def are_gone() -> bool:
        return await rows(workers[0], "realtime_presence") == 28  # sockets, and members by them

    await until_it_holds(are_gone)


async def test_the_people_of_a_killed_worker_go_when_its_lease_expires(shared_bench: Bench) -> None:
    one, two = await shared_bench.worker(expire_seconds=1.5), await shared_bench.worker()
    ada, bob, eve = a_user("ada"), a_user("bob"), a_user("eve")
    here = one.connect(ada)
    await here.subscribe("room:x")
    await one.connect(eve).subscribe("room:x")
    for person in (bob, eve):
        await two.connect(person).subscribe("room:x")
    await until(lambda: sorted(seen(here)[0]) == ["bob", "eve"])

    await two.die()
    await until(lambda: seen(here)[1] == ["bob"])

    assert seen(here)[1] == ["bob"], "eve has another socket"
    assert await rows(one, "realtime_presence") == 8, "they are deleted later"
    async with one.database.independent() as unit:
        await unit.session.execute(text("UPDATE realtime_processes SET renewed_at = '2000-01-01 00:00:00.000000'"))
        deleted = [await one.realtime.trim(unit) for _ in range(3)]
    assert deleted == [8, 2, 0], "sockets and members, leases"
    assert await rows(one, "realtime_presence") == 0


async def test_the_sockets_of_a_killed_worker_stop_counting_before_its_people_go(shared_bench: Bench) -> None:
    one, two = [await shared_bench.worker(max_sockets=2, alive_seconds=1.0, expire_seconds=60) for _ in range(2)]
    ada, bob = a_user("ada"), shared_bench.gate.admit(a_user("bob"))
    here = one.connect(ada)
    await here.subscribe("room:x")
    for _ in range(2):
        await two.connect(bob).subscribe("room:x")
    await until(lambda: seen(here)[0] == ["bob"])
    with pytest.raises(TooManyConnections):
        await one.realtime.serve(Connection(bob, one.realtime), Wire())

    await two.die()
    back: list[Peer] = []

    async def has_come_back() -> bool:
        peer = one.connect(bob)
        if await peer.is_accepted():
            back.append(peer)
        return len(back) == 2

    await until_it_holds(has_come_back)
    assert seen(here)[1] == [], "they are shown for longer"
    with pytest.raises(TooManyConnections):
        await one.realtime.serve(Connection(bob, one.realtime), Wire())


async def test_a_worker_that_is_slow_for_a_moment_keeps_its_people(shared_bench: Bench) -> None:
    one = await shared_bench.worker(max_sockets=1, alive_seconds=0.5)
    two = await shared_bench.worker(max_sockets=1, alive_seconds=0.5, renew_seconds=60)
    here, bob = one.connect(a_user("ada")), a_user("bob")
    there = two.connect(bob)
    for peer in (here, there):
        await peer.subscribe("room:x")
    await until(lambda: seen(here)[0] == ["bob"])

    async def may_come() -> bool:
        return await one.connect(bob).is_accepted()

    await until_it_holds(may_come)
    assert seen(here)[1] == []
    await there.publish("room:x", "still here")
    await here.wire.until("event")
    assert there.wire.closed is None


async def test_a_worker_that_lost_its_lease_sends_its_sockets_away(shared_bench: Bench) -> None:
    """Its process was stopped for a while, or could not reach the database. Clients come back and resume."""
    one, two = await shared_bench.worker(), await shared_bench.worker()
    here, there = one.connect(a_user("ada")), two.connect(a_user("bob"))
    await here.subscribe("room:x")
    await there.subscribe("room:x")
    await until(lambda: seen(here)[0] == ["bob"])

    async with one.database.engine.begin() as connection:
        process_id = two.realtime._registry._process_id
        value = process_id.hex if one.database.url.is_sqlite else process_id
        await connection.exec_driver_sql(f"DELETE FROM realtime_processes WHERE id = '{value}'")  # noqa: S608 - an id of ours

    assert await there.gone() == (1012, "restarting")
    back = two.connect(a_user("bob"))
    assert names((await back.subscribe("room:x"))["presence"]) == ["ada", "bob"]
    assert here.wire.closed is None


async def test_a_first_socket_that_takes_long_to_open_has_lost_no_lease(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await bench.unstarted(renew_seconds=0.01)
    registry: Any = worker.realtime._registry
    insert, renew, may_open = registry._insert, registry.renew_lease, asyncio.Event()
    renewals = 0

    async def slow_insert(*arguments: object) -> int:
        await may_open.wait()
        return int(await insert(*arguments))

    async def counted_renewal() -> None:
        nonlocal renewals
        await renew()
        renewals += 1

    monkeypatch.setattr(registry, "_insert", slow_insert)
    monkeypatch.setattr(registry, "renew_lease", counted_renewal)
    process_id = registry._process_id
    await worker.realtime.start()
    peer = worker.connect()
    await until(lambda: renewals > 2)
    may_open.set()

    await peer.subscribe("room:x")
    assert registry._process_id == process_id


async def test_a_worker_that_ends_takes_everything_along(shared_bench: Bench) -> None:
    one, two = await shared_bench.worker(), await shared_bench.worker()
    here, there = one.connect(a_user("ada")), two.connect(a_user("bob"))
    await here.subscribe("room:x")
    await there.subscribe("room:x")
    await until(lambda: seen(here)[0] == ["bob"])

    await two.realtime.close()

    assert await there.gone() == (1012, "restarting")
    await until(lambda: seen(here)[1] == ["bob"])
    assert await rows(one, "realtime_processes") == 1


async def test_at_rest_nothing_is_written(bench: Bench) -> None:
    worker = await bench.worker()
    peer = worker.connect()
    await peer.subscribe("room:x")
    peer.wire.go()

    async def is_empty() -> bool:
        return not await rows(worker, "realtime_presence")

    async def renewal() -> object:
        async with worker.database.engine.begin() as connection:
            return (await connection.execute(text("SELECT renewed_at FROM realtime_processes"))).scalar_one()

    await until_it_holds(is_empty)
    before = await renewal()
    await asyncio.sleep(0.5)
    assert await renewal() == before
