"""How much one may have, and how fast: on all workers together."""

import asyncio

import msgspec
import pytest

from app.lib.realtime.errors import TooManyConnections
from app.lib.realtime.protocols import Connection
from app.lib.realtime.queues import MAX_WAITING
from app.lib.realtime.sockets import BURST
from tests.lib.realtime.bench import Bench, Wire, a_user
from tests.support.waiting import until, until_it_holds


async def test_a_person_has_ten_sockets_on_all_workers_together(shared_bench: Bench) -> None:
    workers = [await shared_bench.worker() for _ in range(2)]
    person = shared_bench.gate.admit(a_user())

    peers = [workers[n % 2].connect(person) for n in range(14)]
    await until(lambda: sum(peer.task.done() for peer in peers) == 4)
    await asyncio.sleep(0.2)

    refused = [peer for peer in peers if peer.task.done()]
    assert [type(peer.task.exception()) for peer in refused] == [TooManyConnections] * 4
    assert not any(peer.wire.accepted for peer in refused), "it is for the caller to answer"
    await workers[0].connect(a_user()).subscribe("posts")
    next(peer for peer in peers if not peer.task.done()).wire.go()
    await asyncio.sleep(0.3)
    await workers[1].connect(person).subscribe("posts")


async def test_a_socket_has_a_hundred_channels(bench: Bench) -> None:
    worker = await bench.worker(max_channels=3)
    peer = worker.connect()
    for number in range(3):
        await peer.subscribe(f"load:{number}")

    assert await peer.refusal(type="subscribe", channel="load:more") == "too_many_channels"
    await peer.subscribe("load:1")
    await peer.ask("unsubscribed", type="unsubscribe", channel="load:1")
    await peer.subscribe("load:more")


async def test_too_fast_is_closed(bench: Bench) -> None:
    worker = await bench.worker()
    other = worker.connect()
    await other.subscribe("posts")
    peer = worker.connect()
    for number in range(10_000):
        peer.wire.say({"type": "ping", "ref": str(number)})

    assert (await peer.gone()) == (4429, "too fast")
    assert BURST == 20
    assert len(peer.wire.of_type("pong")) <= BURST
    await other.publish("posts", "the others notice nothing")


async def test_a_slow_reader_is_closed_and_does_not_delay_others(bench: Bench) -> None:
    worker = await bench.worker()
    slow, quick = worker.connect(), worker.connect()
    await slow.subscribe("posts")
    await quick.subscribe("posts")
    slow.wire.reads.clear()

    await asyncio.gather(*(worker.publish("posts", number) for number in range(400)))

    await quick.wire.until("event", 400)
    assert await slow.gone() is None, "it does not even hear the closing"
    assert slow.socket.close_code == 4408
    assert len(slow.socket._outgoing) == 0


async def test_few_but_large_messages_are_too_much_as_well(bench: Bench) -> None:
    worker = await bench.worker()
    slow = worker.connect()
    await slow.subscribe("posts")
    slow.wire.reads.clear()

    for _ in range(20):
        await worker.publish("posts", "x" * 60_000)

    await slow.gone()
    assert slow.socket.close_code == 4408


async def test_a_large_replay_waits_for_the_reader(bench: Bench) -> None:
    """Ten times as much as the queue holds, and the reader is not the fastest."""
    worker = await bench.worker()
    for _ in range(20):
        await asyncio.gather(*(worker.publish("posts", "x" * 60_000) for _ in range(5)))
    peer = worker.connect()

    answer = await peer.subscribe("posts", since=0)

    assert answer["missed"] == 100
    await peer.wire.until("event", 100)
    assert peer.wire.ids("posts") == list(range(1, 101))
    assert peer.socket.close_code is None


async def test_a_socket_without_a_sign_of_life_is_dropped(bench: Bench) -> None:
    worker = await bench.worker(ping_seconds=0.2)
    silent, alive = worker.connect(), worker.connect()

    async def answer() -> None:
        while True:
            alive.wire.say({"type": "pong"})
            await asyncio.sleep(0.1)

    answering = asyncio.create_task(answer())
    assert await silent.gone() == (1001, "no sign of life")
    await asyncio.sleep(1)
    answering.cancel()
    assert alive.socket.close_code is None
    assert len(silent.wire.of_type("ping")) == 2


async def test_a_socket_that_was_refused_leaves_nothing_behind(bench: Bench) -> None:
    worker = await bench.worker(max_sockets=1)
    person = bench.gate.admit(a_user())
    first = worker.connect(person)
    await first.subscribe("room:x")

    with pytest.raises(TooManyConnections):
        await worker.realtime.serve(Connection(person, worker.realtime), Wire())

    assert worker.realtime.sockets.keys() == {first.socket.id}


async def test_a_peer_that_goes_while_it_is_registered_leaves_nothing_behind(bench: Bench) -> None:
    worker = await bench.worker(max_sockets=1)
    person = bench.gate.admit(a_user())
    for _ in range(5):
        attempt = asyncio.create_task(worker.realtime.serve(Connection(person, worker.realtime), Wire()))
        await asyncio.sleep(0)
        attempt.cancel()
        await asyncio.gather(attempt, return_exceptions=True)

    async def may_come() -> bool:
        return await worker.connect(person).is_accepted()

    await until_it_holds(may_come)


async def test_data_that_some_cannot_read_is_not_published(memory_bench: Bench) -> None:
    worker = await memory_bench.worker(max_message_bytes=10_000)
    peer = worker.connect()
    await peer.subscribe("room:x")

    assert await peer.refusal(type="publish", channel="room:x", data=msgspec.Raw(b"9" * 5_000)) == "invalid_data"

    await peer.publish("room:x", "the socket is still there")
    assert peer.wire.ids("room:x") == [1]


@pytest.mark.parametrize("fields", [{"event": "message\n"}, {"key": "a\n"}])
async def test_names_end_where_they_end(memory_bench: Bench, fields: dict[str, str]) -> None:
    peer = (await memory_bench.worker()).connect()
    await peer.subscribe("room:x")

    peer.wire.say({"type": "publish", "channel": "room:x", "data": 1, **fields})

    ended = await peer.gone()
    assert ended is not None
    assert ended[0] == 4400


async def test_who_has_gone_is_sent_nothing_more(memory_bench: Bench) -> None:
    """A server takes what is sent to a peer that has gone, and keeps it."""
    worker = await memory_bench.worker()
    for number in range(150):
        await worker.publish("posts", number)
    peer = worker.connect()
    await peer.subscribe("posts")
    peer.wire.reads.clear()
    for number in range(BURST - 1):
        peer.wire.say({"type": "subscribe", "channel": "posts", "since": 0, "ref": f"again {number}"})
    peer.wire.go()
    await until(lambda: peer.socket.is_gone)
    peer.wire.reads.set()
    await peer.gone()

    assert len(peer.wire.sent) <= 3
    assert worker.realtime.hub.channels == {}


async def test_what_was_said_before_going_is_heard(memory_bench: Bench) -> None:
    worker = await memory_bench.worker()
    listener = worker.connect()
    await listener.subscribe("posts")
    peer = worker.connect()
    for number in range(10):
        peer.wire.say({"type": "publish", "channel": "posts", "data": number})
    peer.wire.go()

    assert [each["data"] for each in await listener.wire.until("event", 10)] == list(range(10))


async def test_one_who_goes_while_something_is_sent_is_heard(memory_bench: Bench) -> None:
    worker = await memory_bench.worker()
    listener, peer = worker.connect(), worker.connect()
    await listener.subscribe("posts")
    await peer.subscribe("posts")
    peer.wire.reads.clear()
    await worker.publish("posts", "the peer does not read this")
    for number in range(10):
        peer.wire.say({"type": "publish", "channel": "posts", "data": number})
    peer.wire.go()
    await until(lambda: peer.socket.is_gone)
    peer.wire.reads.set()

    assert [each["data"] for each in await listener.wire.until("event", 11)][1:] == list(range(10))


async def test_more_than_can_wait_is_too_fast(memory_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.lib.realtime.sockets.BURST", 10_000)
    monkeypatch.setattr("app.lib.realtime.sockets.MESSAGES_PER_SECOND", 1e9)
    worker = await memory_bench.worker()
    peer = worker.connect()
    for number in range(MAX_WAITING + 10):
        peer.wire.say({"type": "ping", "ref": str(number)})

    assert (await peer.gone()) == (4429, "too fast")
