"""Server-Sent Events: the same as on a socket, one way only."""

from typing import Any

import msgspec

from app.lib.realtime.protocols import EventStream, EventStreamTransport, WebSocketTransport, parse_positions
from tests.lib.realtime.bench import LEFT, Bench, Peer, Worker, a_user
from tests.support.waiting import until


def listen(worker: Worker, **channels: int | None) -> Peer:
    named = {name.replace("_", ":"): since for name, since in channels.items()}
    principal = worker.gate.admit(a_user("ada"))
    return worker.connect(principal, EventStream(principal, worker.realtime, named))


def blocks(peer: Peer) -> list[dict[str, str]]:
    """What came, field by field."""
    found = []
    for text in peer.wire.sent:
        assert text.endswith("\n\n")
        found.append(dict(line.split(": ", 1) for line in text.strip().split("\n")))
    return found


def events(peer: Peer, kind: str) -> list[dict[str, str]]:
    return [each for each in blocks(peer) if each.get("event") == kind]


async def test_events_come_with_the_position_of_all_channels(bench: Bench) -> None:
    worker = await bench.worker()
    await worker.publish("posts", "before")
    peer = listen(worker, posts=None, room_x=None)
    await until(lambda: len(events(peer, "subscribed")) == 2)

    await worker.publish("room:x", {"n": 1})
    await worker.publish("posts", "after")
    await until(lambda: len(events(peer, "event")) == 2)

    assert sorted(each["id"] for each in events(peer, "event")) in (
        ["posts=1,room:x=1", "posts=2,room:x=1"],
        ["posts=2,room:x=0", "posts=2,room:x=1"],
    )
    frame = msgspec.json.decode(events(peer, "event")[0]["data"])
    assert (frame["type"], frame["channel"]) in {("event", "room:x"), ("event", "posts")}
    first, second = events(peer, "subscribed")
    assert "id" not in first, "not before all are known"
    assert second["id"] == "posts=1,room:x=0"
    assert blocks(peer)[0] == {"retry": "2000"}


async def test_it_goes_on_where_it_ended(bench: Bench) -> None:
    worker = await bench.worker()
    for number in range(10):
        await worker.publish("posts", number)

    peer = listen(worker, posts=4, room_x=0)
    await until(lambda: len(events(peer, "event")) == 6)
    await worker.publish("posts", "new")
    await until(lambda: len(events(peer, "event")) == 7)

    assert [each["id"] for each in events(peer, "event")][-1] == "posts=11,room:x=0"
    data: list[Any] = [msgspec.json.decode(each["data"]) for each in events(peer, "event")]
    assert [each["id"] for each in data] == list(range(5, 12))
    assert msgspec.json.decode(events(peer, "subscribed")[0]["data"])["missed"] == 6
    assert events(peer, "subscribed")[0]["id"] == "posts=4,room:x=0", "it has not got there yet"


async def test_a_sign_of_life_needs_no_answer(memory_bench: Bench) -> None:
    worker = await memory_bench.worker(stream_ping_seconds=0.1, ping_seconds=0.2)
    peer = listen(worker, posts=None)

    await until(lambda: peer.wire.sent.count(": ping\n\n") >= 4)

    assert peer.socket.close_code is None


async def test_the_last_channel_that_is_lost_ends_it(memory_bench: Bench) -> None:
    worker = await memory_bench.worker()
    peer = listen(worker, room_x=None, room_y=None)
    await until(lambda: len(events(peer, "subscribed")) == 2)

    for channel in ("room:x", "room:y"):
        assert peer.socket.close_code is None
        memory_bench.gate.refused.add((peer.socket.user_id, channel))
        await worker.publish(channel, peer.socket.user_id, LEFT)
        await until(lambda channel=channel: channel not in peer.socket.channels)  # type: ignore[misc]  # a default binds it

    assert (await peer.gone() or (0, ""))[0] == 4403


def test_positions_are_ids_by_channel() -> None:
    positions = {"posts": 12, "room:x.y-z_1": 0, "user:0199": 9_007_199_254_740_991}
    assert parse_positions("posts=12,room:x.y-z_1=0,user:0199=9007199254740991") == positions
    assert parse_positions("") == {}


class Server:
    """The other side of ASGI."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = list(messages)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> Any:
        """One message after the other; the last one, which says that the peer is gone, again and again."""
        return self._messages.pop(0) if len(self._messages) > 1 else self._messages[0]

    async def send(self, message: Any) -> None:
        self.sent.append(message)


async def test_a_stream_on_asgi() -> None:
    server = Server({"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"})
    transport = EventStreamTransport(server.receive, server.send)

    await transport.accept()
    await transport.send(": ü\n\n")
    await transport.close(1012, "restarting")

    assert await transport.receive() is None
    start, *body = server.sent
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    assert (b"content-type", b"text/event-stream") in start["headers"]
    assert [each["body"] for each in body] == [
        ": ü\n\n".encode(),
        b'event: close\ndata: {"code":1012}\n\n',
        b"",
    ]
    assert [each["more_body"] for each in body] == [True, True, False]


async def test_a_websocket_on_asgi() -> None:
    server = Server(
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "hello", "bytes": None},
        {"type": "websocket.receive", "bytes": b"\x00"},
        {"type": "websocket.disconnect", "code": 1000},
    )
    transport = WebSocketTransport(server.receive, server.send)

    await transport.accept()
    received = [await transport.receive() for _ in range(3)]
    await transport.send("hi")
    await transport.close(4401, "again")

    assert received == ["hello", b"\x00", None]
    assert server.sent == [
        {"type": "websocket.accept", "subprotocol": None, "headers": []},
        {"type": "websocket.send", "text": "hi", "bytes": None},
        {"type": "websocket.close", "code": 4401, "reason": "again"},
    ]
