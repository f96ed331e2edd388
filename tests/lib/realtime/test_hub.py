"""What holds on every fan-out: order, nothing lost, nothing doubled."""

import asyncio

from tests.lib.realtime.bench import Bench, somebody


async def test_what_one_publishes_all_receive(bench: Bench) -> None:
    worker = await bench.worker()
    first, second = worker.connect(), worker.connect()
    assert (await first.subscribe("posts"))["last_id"] == 0
    await second.subscribe("posts")

    ack = await first.publish("posts", {"text": "hello"})

    for peer in (first, second):
        (event,) = await peer.wire.until("event")
        assert (event["id"], event["data"], event["event"]) == (1, {"text": "hello"}, "message")
        assert event["sender"] == str(first.socket.user_id)
    assert ack == {"type": "ack", "id": 1, "ref": "2"}
    kinds = [each["type"] for each in first.wire.frames]
    assert kinds.index("ack") < kinds.index("event")


async def test_workers_hear_of_each_other(shared_bench: Bench) -> None:
    one, two = await shared_bench.worker(), await shared_bench.worker()
    here, there = one.connect(), two.connect()
    await asyncio.gather(here.subscribe("posts"), there.subscribe("posts"))

    await asyncio.gather(*(worker.publish("posts", n) for n in range(50) for worker in (one, two)))

    for peer in (here, there):
        await peer.wire.until("event", 100)
        assert peer.wire.ids("posts") == list(range(1, 101))
    assert [e["data"] for e in here.wire.frames if e["type"] == "event"] == [
        e["data"] for e in there.wire.frames if e["type"] == "event"
    ]


async def test_since_replays_what_was_missed(bench: Bench) -> None:
    worker = await bench.worker()
    for number in range(150):
        await worker.publish("posts", number)
    peer = worker.connect()

    answer = await peer.subscribe("posts", since=20)

    assert (answer["recovered"], answer["missed"], answer["last_id"]) == (True, 130, 150)
    await peer.wire.until("event", 130)
    await worker.publish("posts", "new")
    await peer.wire.until("event", 131)
    assert peer.wire.ids("posts") == list(range(21, 152))


async def test_presence_across_workers(shared_bench: Bench) -> None:
    one, two = await shared_bench.worker(), await shared_bench.worker()
    ada, bob = somebody("ada"), somebody("bob")
    here = one.connect(ada)
    assert [each["name"] for each in (await here.subscribe("room:x"))["presence"]] == ["ada"]

    there, again = two.connect(bob), two.connect(bob)
    names = [each["name"] for each in (await there.subscribe("room:x"))["presence"]]
    assert sorted(names) == ["ada", "bob"]
    (frame,) = await here.wire.until("presence")
    assert [each["name"] for each in frame["join"]] == ["bob"]
    await again.subscribe("room:x")

    there.wire.go()
    await there.gone()
    again.wire.go()
    (_, frame) = await here.wire.until("presence", 2)
    assert [each["name"] for each in frame["leave"]] == ["bob"]
    assert there.wire.of_type("presence") == []
