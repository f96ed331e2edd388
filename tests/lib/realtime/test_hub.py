"""What holds on every fan-out: order, nothing lost, nothing doubled."""

import asyncio

import msgspec
import pytest

from app.lib.realtime.channels import NewEvent
from app.lib.realtime.errors import RealtimeUnavailable
from tests.lib.realtime.bench import Bench, Worker, a_user


def data_of(frames: list[dict[str, object]]) -> list[object]:
    return [each["data"] for each in frames]


async def test_all_subscribers_receive_an_event(bench: Bench) -> None:
    worker = await bench.worker()
    first, second = worker.connect(), worker.connect()
    assert (await first.subscribe("posts"))["last_id"] == 0
    await second.subscribe("posts")

    ack = await first.publish("posts", {"text": "hello"})

    for peer in (first, second):
        (event,) = await peer.wire.until("event")
        assert (event["id"], event["data"], event["event"]) == (1, {"text": "hello"}, "message")
        assert event["sender_id"] == str(first.socket.user_id)
    assert ack == {"type": "ack", "id": 1, "ref": "2"}
    kinds = [each["type"] for each in first.wire.frames]
    assert kinds.index("ack") < kinds.index("event")


async def test_events_of_several_workers_come_in_one_order(shared_bench: Bench) -> None:
    one, two = await shared_bench.worker(), await shared_bench.worker()
    here, there = one.connect(), two.connect()
    await asyncio.gather(here.subscribe("posts"), there.subscribe("posts"))

    await asyncio.gather(*(worker.publish("posts", n) for n in range(50) for worker in (one, two)))

    for peer in (here, there):
        await peer.wire.until("event", 100)
        assert peer.wire.ids("posts") == list(range(1, 101))
    assert data_of(here.wire.of_type("event")) == data_of(there.wire.of_type("event"))


async def test_many_messages_by_several_workers_keep_their_order(shared_bench: Bench) -> None:
    """Ten thousand on two channels, from three workers at once, each listening."""
    workers = [await shared_bench.worker() for _ in range(3)]
    peers = [worker.connect() for worker in workers]
    channels = ("load:a", "load:b")
    for peer in peers:
        for channel in channels:
            await peer.subscribe(channel)

    async def speak(worker: Worker, speaker: int) -> None:
        for number in range(100):
            await asyncio.gather(*(worker.publish(each, [speaker, number, n]) for each in channels for n in range(5)))

    await asyncio.gather(*(speak(workers[n % 3], n) for n in range(10)))

    for peer in peers:
        await peer.wire.until("event", 10_000, seconds=60)
    for channel in channels:
        seen = [data_of(peer.wire.of_type("event", channel=channel)) for peer in peers]
        assert seen[0] == seen[1] == seen[2]
        assert [peer.wire.ids(channel) for peer in peers] == [list(range(1, 5_001))] * 3
        for speaker in range(10):
            mine = [each[1:] for each in seen[0] if isinstance(each, list) and each[0] == speaker]
            assert mine == sorted(mine), "what one publishes in order arrives in that order"


async def test_the_same_key_publishes_once(bench: Bench) -> None:
    worker = await bench.worker()
    peer, stranger = worker.connect(), worker.connect()
    await peer.subscribe("posts")

    answers = [await peer.publish("posts", "once", key="k1") for _ in range(3)]
    other = await stranger.publish("posts", "another's", key="k1")
    elsewhere = await peer.publish("news", "elsewhere", key="k1")
    at_once = await asyncio.gather(*(worker.publish("posts", n, key="k2") for n in range(5)))

    assert [each["id"] for each in answers] == [1, 1, 1]
    assert (other["id"], elsewhere["id"], set(at_once)) == (2, 1, {3})
    await worker.publish("posts", "last")
    await peer.wire.until("event", 4)
    assert peer.wire.ids("posts") == [1, 2, 3, 4]


async def test_the_same_key_on_two_workers_publishes_once(shared_bench: Bench) -> None:
    one, two = await shared_bench.worker(), await shared_bench.worker()
    sender = a_user().user_id

    ids = await asyncio.gather(
        *(
            worker.publish("posts", number, key=f"k{number}", sender=sender)
            for number in range(20)
            for worker in (one, two)
        )
    )

    assert ids[::2] == ids[1::2]
    assert sorted(set(ids)) == list(range(1, 21)), "and leaves no gap"


async def test_an_event_that_was_rolled_back_reaches_no_subscriber(bench: Bench) -> None:
    worker = await bench.worker()
    peer = worker.connect()
    await peer.subscribe("posts")
    event = NewEvent(channel="posts", event="message", data=b"1")

    async with worker.database.independent() as unit:
        assert await worker.realtime.writer.publish_in(unit, event) == [1]
        await unit.rollback()
    async with worker.database.independent() as unit:
        assert await worker.realtime.writer.publish_in(unit, msgspec.structs.replace(event, data=b"2")) == [1]

    assert data_of(await peer.wire.until("event")) == [2]


async def test_a_process_without_sockets_can_publish(shared_bench: Bench) -> None:
    """A worker for jobs makes the service and does not start it."""
    worker = await shared_bench.worker()
    other = await shared_bench.unstarted()
    peer = worker.connect()
    await peer.subscribe("posts")

    await other.publish("posts", "from a job")
    async with other.database.independent() as unit:
        event = NewEvent(channel="posts", event="post.published", data=b'"in a transaction"')
        await other.realtime.writer.publish_in(unit, event)

    assert data_of(await peer.wire.until("event", 2)) == ["from a job", "in a transaction"]


async def test_without_the_database_publishing_is_retryable(bench: Bench) -> None:
    worker = await bench.worker()
    peer = worker.connect()
    await peer.subscribe("posts")
    await worker.database.engine.dispose()
    async with worker.database.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE realtime_events RENAME TO elsewhere")
    try:
        error = await peer.ask("error", type="publish", channel="posts", data=1, key="k")
        with pytest.raises(RealtimeUnavailable):
            await worker.publish("posts")
    finally:
        async with worker.database.engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO realtime_events")

    assert (error["code"], error["retryable"], error["channel"]) == ("unavailable", True, "posts")
    assert (await peer.publish("posts", 1, key="k"))["id"] == 1
    await peer.wire.until("event")
