"""The protocol: what clients may say, what they are answered, and what ends the socket."""

import asyncio
import sys
from contextlib import suppress

import msgspec
import pytest

from app.lib.events.fanout import SilentFanout
from app.lib.realtime.frames import BadFrame, Publish, Subscribe, decode_frame
from tests.lib.realtime.bench import LEFT, Bench, Peer, a_user

DEEP = '{"type":"publish","channel":"posts","data":' + "[" * 100 + "]" * 100 + "}"


async def test_faults_of_the_protocol_close_the_socket(memory_bench: Bench) -> None:
    worker = await memory_bench.worker()
    for message, code in [
        (b'{"type":"ping"}', 4400),
        ("", 4400),
        ("ping", 4400),
        ("[]", 4400),
        ("{}", 4400),
        ('{"type":"shout"}', 4400),
        ('{"type":"ping","extra":1}', 4400),
        ('{"type":"ping","ref":1}', 4400),
        ('{"type":"ping","ref":"' + "x" * 65 + '"}', 4400),
        ('{"type":"subscribe"}', 4400),
        ('{"type":"subscribe","channel":"posts","since":-1}', 4400),
        ('{"type":"subscribe","channel":"posts","since":1.5}', 4400),
        ('{"type":"subscribe","channel":"posts","since":99999999999999999999}', 4400),
        ('{"type":"publish","channel":"posts"}', 4400),
        ('{"type":"publish","channel":"posts","data":1,"event":"Bad Name"}', 4400),
        ('{"type":"publish","channel":"posts","data":1,"key":"has spaces"}', 4400),
        ('{"type":"publish","channel":"posts","data":"\x00"}', 4400),
        ('{"type":"publish","channel":"posts","data":nan}', 4400),
        (DEEP, 4400),
        ("[" * 60_000, 4400),
        ('{"type":"publish","channel":"posts","data":"' + "x" * 65_536 + '"}', 4413),
        ('{"type":"publish","channel":"posts","data":"' + "ü" * 40_000 + '"}', 4413),
        ("x" * 1_000_000, 4413),
    ]:
        peer, other = worker.connect(), worker.connect()
        await other.subscribe("posts")

        peer.wire.say(message)

        closed = await peer.gone()
        assert closed is not None
        assert closed[0] == code
        assert len(closed[1].encode()) <= 120
        await other.publish("posts", "the others notice nothing")
        await other.wire.until("event")


def test_a_frame_is_decoded_to_what_it_says() -> None:
    assert decode_frame('{"type":"subscribe","channel":"posts","since":3}') == Subscribe(channel="posts", since=3)
    frame = decode_frame('{"type":"publish","channel":"room:x","data":{"a": [1.50, "\\u0000[[["]},"key":"k"}')
    assert isinstance(frame, Publish)
    assert bytes(frame.data) == b'{"a": [1.50, "\\u0000[[["]}', "byte for byte"
    assert (frame.event, frame.key) == ("message", "k")


def test_brackets_in_a_text_are_not_depth() -> None:
    frame = decode_frame('{"type":"publish","channel":"posts","data":"' + '\\"[' * 1000 + '"}')
    assert isinstance(frame, Publish)
    with pytest.raises(BadFrame, match="too deep"):
        decode_frame(DEEP)


def test_a_lone_surrogate_is_no_text() -> None:
    with pytest.raises(BadFrame):
        decode_frame('{"type":"ping","ref":"\ud800"}')


async def test_half_a_surrogate_is_refused_and_the_socket_stays(memory_bench: Bench) -> None:
    worker = await memory_bench.worker()
    peer = worker.connect()
    await peer.subscribe("posts")
    peer.wire.say(r'{"type":"publish","channel":"posts","data":{"text":"cut: \ud83d"},"ref":"half"}')
    peer.wire.say(r'{"type":"subscribe","channel":"posts\udc00","ref":"name"}')
    errors = await peer.wire.until("error", 2)

    assert [(each["ref"], each["code"], each["retryable"]) for each in errors] == [
        ("half", "invalid_data", False),
        ("name", "invalid_data", False),
    ]
    await peer.publish("posts", "whole: \U0001f600")
    assert [each["data"] for each in await peer.wire.until("event")] == ["whole: \U0001f600"]


async def test_any_json_survives(bench: Bench) -> None:
    worker = await bench.worker()
    peer = worker.connect()
    await peer.subscribe("posts")
    values: list[object] = [
        None,
        True,
        0,
        1.5,
        10**15,
        "",
        'ü\u2028\x00"\\',
        [],
        {},
        {"a": {"b": [1, {"c": None}]}},
        "😀" * 100,
    ]

    for value in values:
        await peer.publish("posts", value)

    frames = await peer.wire.until("event", len(values))
    assert [each["data"] for each in frames] == values


async def test_bad_names_of_channels_are_errors_and_keep_the_socket(memory_bench: Bench) -> None:
    worker = await memory_bench.worker()
    for channel in [
        "",
        "Posts",
        "room:",
        "room:a b",
        "room:ü",
        "room:a/b",
        ":x",
        "room:x:y",
        "room:" + "x" * 65,
        "room:x\n",
    ]:
        peer = worker.connect()
        if not channel or len(channel) > 97:
            peer.wire.say({"type": "subscribe", "channel": channel})
            assert (await peer.gone() or (0, ""))[0] == 4400
            continue

        for kind in ("subscribe", "unsubscribe"):
            assert await peer.refusal(type=kind, channel=channel) == "invalid_channel"
        assert await peer.refusal(type="publish", channel=channel, data=1) == "invalid_channel"
        await peer.subscribe("posts")


async def test_refusals_of_rules_are_errors(memory_bench: Bench) -> None:
    worker = await memory_bench.worker()
    ada = a_user("ada")
    memory_bench.gate.refused.add((ada.user_id, "room:secret"))
    memory_bench.gate.closed.add("room:over")
    peer = worker.connect(ada)

    assert await peer.refusal(type="subscribe", channel="room:secret") == "forbidden"
    assert await peer.refusal(type="subscribe", channel="hidden:x") == "not_found"
    assert await peer.refusal(type="publish", channel="room:secret", data=1) == "forbidden"
    assert await peer.refusal(type="publish", channel="room:over", data=1) == "closed"
    assert await peer.refusal(type="unsubscribe", channel="room:secret") == "not_subscribed"
    assert await peer.refusal(type="refresh", token="nonsense") == "invalid_token"
    assert worker.realtime.hub.channels == {}
    assert peer.socket.close_code is None


async def test_publishing_needs_no_subscription(bench: Bench) -> None:
    worker = await bench.worker()
    peer = worker.connect()

    assert (await peer.publish("posts", 1))["id"] == 1
    assert peer.wire.of_type("event") == []


async def test_a_ping_is_answered(memory_bench: Bench) -> None:
    worker = await memory_bench.worker()
    peer = worker.connect()

    assert await peer.ask("pong", type="ping") == {"type": "pong", "ref": "1"}


async def test_after_unsubscribing_nothing_comes(bench: Bench) -> None:
    worker = await bench.worker()
    peer = worker.connect()
    await peer.subscribe("posts")

    answer = await peer.ask("unsubscribed", type="unsubscribe", channel="posts")
    await peer.publish("posts", 1)
    await peer.ask("pong", type="ping")

    assert answer == {"type": "unsubscribed", "channel": "posts", "ref": "2", "reason": None}
    assert peer.wire.of_type("event") == []
    assert worker.realtime.hub.channels == {}


async def test_a_session_that_ended_closes_its_sockets(shared_bench: Bench) -> None:
    workers = [await shared_bench.worker() for _ in range(2)]
    ada, bob = a_user("ada"), a_user("bob")
    peers = [worker.connect(ada) for worker in workers]
    other = workers[0].connect(bob)
    for peer in (*peers, other):
        await peer.subscribe("posts")

    del shared_bench.gate.sessions[ada.session_id]

    assert [await peer.gone() for peer in peers] == [(4401, "the session has ended")] * 2
    assert other.socket.close_code is None


async def test_a_renewed_socket_follows_its_new_session(memory_bench: Bench) -> None:
    worker = await memory_bench.worker()
    ada = a_user("ada")
    peer = worker.connect(ada)
    renewed = memory_bench.gate.admit(a_user("ada", ada.user_id))

    await peer.ask("refreshed", type="refresh", token=str(renewed.session_id))
    del memory_bench.gate.sessions[ada.session_id]
    await asyncio.sleep(0.5)

    await peer.subscribe("posts")
    del memory_bench.gate.sessions[renewed.session_id]
    assert (await peer.gone() or (0, ""))[0] == 4401


async def lose(bench: Bench, peer: Peer, channel: str) -> None:
    bench.gate.refused.add((peer.socket.user_id, channel))


async def test_who_loses_a_right_is_asked_again(shared_bench: Bench) -> None:
    one, two = [await shared_bench.worker() for _ in range(2)]
    ada, bob = two.connect(a_user("ada")), two.connect(a_user("bob"))
    for peer in (ada, bob):
        await peer.subscribe("room:x")
        await peer.subscribe("posts")
    await lose(shared_bench, ada, "room:x")

    await one.publish("room:x", ada.socket.user_id, LEFT)

    (frame,) = await ada.wire.until("unsubscribed")
    assert (frame["channel"], frame["reason"]) == ("room:x", "forbidden")
    (left,) = await bob.wire.until("presence")
    assert [each["name"] for each in left["leave"]] == ["ada"]
    await one.publish("room:x", 1)
    await one.publish("posts", 1)
    await bob.wire.until("event", 3)
    await ada.wire.until("event", channel="posts")
    assert ada.wire.ids("room:x") == [1]


async def test_a_lost_hint_about_rights_is_found(shared_bench: Bench) -> None:
    """No process gets the hint, and the sweep finds the event."""
    one = await shared_bench.worker()
    ada = one.connect(a_user("ada"))
    await ada.subscribe("room:x")
    await lose(shared_bench, ada, "room:x")
    silent = await shared_bench.unstarted(fanout=SilentFanout())

    await silent.publish("room:x", ada.socket.user_id, LEFT)

    (frame,) = await ada.wire.until("unsubscribed")
    assert frame["reason"] == "forbidden"


async def test_changed_permissions_ask_for_every_channel(memory_bench: Bench) -> None:
    worker = await memory_bench.worker()
    ada = a_user("ada")
    peer = worker.connect(ada)
    for number in range(3):
        await peer.subscribe(f"load:{number}")
    await lose(memory_bench, peer, "load:1")

    memory_bench.gate.sessions[ada.session_id] = msgspec.structs.replace(ada, permissions=frozenset({"posts:read"}))
    worker.realtime.check_sessions_now()

    (frame,) = await peer.wire.until("unsubscribed")
    assert frame["channel"] == "load:1"
    assert peer.socket.channels == {"load:0", "load:2"}


async def test_draining_tells_everybody_to_come_back(memory_bench: Bench) -> None:
    worker = await memory_bench.worker()
    peers = [worker.connect() for _ in range(5)]
    for peer in peers:
        await peer.subscribe("room:x")

    await worker.realtime.say_goodbye()

    assert [await peer.gone() for peer in peers] == [(1012, "restarting")] * 5
    late = worker.connect()
    assert (await late.gone(2) or (0, ""))[0] == 1012
    assert worker.realtime.closed[1012] == 6  # type: ignore[index]  # a code is a number


@pytest.mark.parametrize("data", ["[" + "[]," * 20_000 + "[]]", '["\\ud800"' + ",[]" * 20_000 + "]", "[" * 60_000])
def test_data_that_is_too_large_is_not_searched(data: str) -> None:
    text = f'{{"type":"publish","channel":"posts","data":{data}}}'
    calls = 0

    def on_event(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(on_event)
    try:
        with suppress(BadFrame):
            decode_frame(text, 4_096)
    finally:
        sys.setprofile(None)
    assert calls < 50
