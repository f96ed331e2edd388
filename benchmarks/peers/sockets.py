"""Sockets on granian with nothing around them: a message goes to all subscribers of its channel, and is not kept.

Speaks as much of the service's protocol as the benchmark does; no rights, limits, queues, log or other processes.
"""

import itertools
from collections import defaultdict
from typing import Any

import msgspec


class Frame(msgspec.Struct):
    type: str
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class Event(msgspec.Struct, tag_field="type", tag="event"):
    channel: str
    id: int
    data: msgspec.Raw


decode = msgspec.json.Decoder(Frame).decode
encode = msgspec.json.Encoder().encode
subscribers: dict[str, set[Any]] = defaultdict(set)
ids: dict[str, "itertools.count[int]"] = defaultdict(lambda: itertools.count(1))


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":  # whether it runs
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    try:
        while (message := await receive())["type"] == "websocket.receive":
            frame = decode(message.get("text") or message["bytes"])
            if frame.type == "subscribe":
                subscribers[frame.channel].add(send)
                await send(_text({"type": "subscribed", "channel": frame.channel}))
            elif frame.type == "publish":
                event_id = next(ids[frame.channel])
                event = _text(Event(frame.channel, event_id, frame.data))
                for each in tuple(subscribers[frame.channel]):
                    await each(event)
                await send(_text({"type": "ack", "id": event_id}))
    finally:
        for channel in subscribers.values():
            channel.discard(send)


def _text(frame: Any) -> dict[str, Any]:
    return {"type": "websocket.send", "text": encode(frame).decode()}
