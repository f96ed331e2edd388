"""Coming back: what was missed is replayed once and in order, or it is said that it cannot be."""

import asyncio

from sqlalchemy import text

from app.lib.realtime.frames import REPLAY_LIMIT
from tests.lib.realtime.bench import Bench, Worker
from tests.support.waiting import until


async def publish_many(worker: Worker, channel: str, count: int) -> None:
    """Many at a time; their order does not matter."""
    await asyncio.gather(*(worker.publish(channel, number) for number in range(count)))


async def test_since_replays_exactly_what_was_missed(bench: Bench) -> None:
    worker = await bench.worker()
    await publish_many(worker, "posts", 150)
    peer = worker.connect()

    answer = await peer.subscribe("posts", since=20)

    assert (answer["recovered"], answer["missed"], answer["last_id"]) == (True, 130, 150)
    await peer.wire.until("event", 130)
    await worker.publish("posts", "new")
    await peer.wire.until("event", 131)
    assert peer.wire.ids("posts") == list(range(21, 152))


async def test_one_who_has_seen_all_misses_nothing(bench: Bench) -> None:
    worker = await bench.worker()
    await publish_many(worker, "posts", 3)

    answer = await worker.connect().subscribe("posts", since=3)

    assert (answer["recovered"], answer["missed"], answer["last_id"]) == (True, 0, 3)


async def test_too_much_is_not_replayed(bench: Bench) -> None:
    worker = await bench.worker()
    await publish_many(worker, "kept:x", REPLAY_LIMIT + 10)
    peer = worker.connect()

    late = await peer.subscribe("kept:x", since=9)
    assert (late["recovered"], late["missed"]) == (False, REPLAY_LIMIT + 1)
    in_time = await worker.connect().subscribe("kept:x", since=10)
    assert (in_time["recovered"], in_time["missed"]) == (True, REPLAY_LIMIT)

    await worker.publish("kept:x", "new")
    await peer.wire.until("event")
    assert peer.wire.ids("kept:x") == [REPLAY_LIMIT + 11]


async def test_what_is_too_old_is_not_replayed(bench: Bench) -> None:
    worker = await bench.worker(keep_seconds=0.2)
    await publish_many(worker, "posts", 3)
    await publish_many(worker, "kept:x", 3)
    await asyncio.sleep(0.5)
    await worker.publish("posts", "fresh")

    old = await worker.connect().subscribe("posts", since=2)
    kept = await worker.connect().subscribe("kept:x", since=2)

    assert (old["recovered"], old["missed"], old["last_id"]) == (False, 2, 4)
    assert (kept["recovered"], kept["missed"]) == (True, 1)


async def test_since_from_the_future_is_not_believed(bench: Bench) -> None:
    worker = await bench.worker()
    await publish_many(worker, "posts", 3)

    answer = await worker.connect().subscribe("posts", since=4)

    assert (answer["recovered"], answer["missed"], answer["last_id"]) == (False, None, 3)


async def test_one_may_come_from_a_worker_that_is_ahead(shared_bench: Bench) -> None:
    """This worker has not heard yet of what the peer has seen on the other one."""
    one, two = await shared_bench.worker(), await shared_bench.worker(sweep_seconds=3600)
    listener = two.connect()
    await listener.subscribe("posts")
    await two.events.close()
    await publish_many(one, "posts", 3)
    peer = two.connect()

    answer = await peer.subscribe("posts", since=3)

    assert (answer["recovered"], answer["missed"], answer["last_id"]) == (True, 0, 3)
    await one.publish("posts", "next")
    await two.connect().subscribe("posts", since=4)
    await peer.wire.until("event")
    assert peer.wire.ids("posts") == [4]
    assert listener.wire.ids("posts") == [1, 2, 3, 4]


async def test_replays_while_others_publish_have_no_gap_and_no_double(shared_bench: Bench) -> None:
    one, two = await shared_bench.worker(), await shared_bench.worker()
    await publish_many(one, "posts", 30)
    stop = asyncio.Event()

    async def speak(worker: Worker) -> None:
        while not stop.is_set():
            await publish_many(worker, "posts", 3)

    peers = [worker.connect() for worker in (one, two) for _ in range(4)]
    await asyncio.gather(*(peer.ask("pong", type="ping") for peer in peers))
    speakers = [asyncio.create_task(speak(worker)) for worker in (one, two)]
    answers = await asyncio.gather(*(peer.subscribe("posts", since=5 * n) for n, peer in enumerate(peers[:6])))
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.gather(*speakers)
    last = await one.publish("posts", "last")

    for number, peer in enumerate(peers[:6]):
        assert answers[number]["recovered"]
        await until(lambda peer=peer: peer.wire.ids("posts")[-1:] == [last])  # type: ignore[misc]  # a default binds it
        assert peer.wire.ids("posts") == list(range(5 * number + 1, last + 1))


async def test_subscribing_again_starts_again(bench: Bench) -> None:
    worker = await bench.worker()
    peer = worker.connect()
    await peer.subscribe("posts")
    await publish_many(worker, "posts", 2)
    await peer.wire.until("event", 2)

    again = await peer.subscribe("posts", since=1)
    await worker.publish("posts", "new")

    assert (again["recovered"], again["missed"]) == (True, 1)
    await peer.wire.until("event", 4)
    assert peer.wire.ids("posts") == [1, 2, 2, 3]


async def test_trimming_deletes_what_is_over(bench: Bench) -> None:
    worker = await bench.worker(keep_seconds=0.2)
    await publish_many(worker, "posts", 5)
    await publish_many(worker, "kept:x", 5)
    await asyncio.sleep(0.5)

    async with worker.database.independent() as unit:
        counts = [await worker.realtime.trim(unit) for _ in range(2)]

    assert counts == [5, 0]
    assert await worker.publish("posts", "ids go on") == 6
    assert (await worker.connect().subscribe("kept:x", since=0))["missed"] == 5


async def test_trimming_goes_by_batches(bench: Bench) -> None:
    worker = await bench.worker()
    await publish_many(worker, "kept:x", 1_010)
    async with worker.database.independent() as unit:
        await unit.session.execute(text("UPDATE realtime_events SET expires_at = '2000-01-01 00:00:00.000000'"))
        counts = [await worker.realtime.trim(unit) for _ in range(3)]

    assert counts == [1_000, 10, 0]


async def test_an_older_database_that_was_put_back_ends_the_subscriptions(bench: Bench) -> None:
    worker = await bench.worker()
    peer = worker.connect()
    await peer.subscribe("posts")
    await publish_many(worker, "posts", 5)
    await peer.wire.until("event", 5)

    async with worker.database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM realtime_events"))
        await connection.execute(text("DELETE FROM realtime_channels"))

    (frame,) = await peer.wire.until("unsubscribed")
    assert frame["reason"] == "reset"
    assert (await peer.subscribe("posts", since=5))["recovered"] is False
