"""What goes over the wire is what the AsyncAPI document says."""

from typing import Any

import httpx
import jsonschema_rs
from litestar import Litestar

from tests.domain.realtime.steps import make_room
from tests.support.people import Person
from tests.support.sockets import SocketClient, connected

ROOM = "room:harbour"


async def conversation(socket: SocketClient) -> dict[str, Any]:
    """One frame of each type that a client is sent in the course of it."""
    said: list[dict[str, Any]] = [
        {"type": "subscribe", "channel": ROOM, "ref": "1"},
        {"type": "publish", "channel": ROOM, "data": {"text": "Ahoy"}, "ref": "2"},
        {"type": "ping", "ref": "3"},
        {"type": "publish", "channel": "posts", "data": None, "ref": "4"},
        {"type": "unsubscribe", "channel": ROOM, "ref": "5"},
    ]
    for frame in said:
        await socket.send(**frame)
    heard: dict[str, Any] = {}
    while "unsubscribed" not in heard:
        frame = await socket.receive()
        heard[frame["type"]] = frame
    return heard


async def test_frames_are_as_described(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    await make_room(calls)
    async with connected(app, token=caller.access_token) as socket:
        heard = await conversation(socket)
    document = (await calls.get("/docs/asyncapi.json")).json()
    messages = {name: document["components"]["messages"][name] for name in document["channels"]["socket"]["messages"]}

    assert {"subscribed", "ack", "event", "pong", "error", "unsubscribed"} <= heard.keys()
    for type_, frame in heard.items():
        schemas = [each["payload"] for each in messages.values() if each["name"] == type_]
        validators = [
            jsonschema_rs.validator_for({**schema, "components": document["components"]}) for schema in schemas
        ]
        assert any(validator.is_valid(frame) for validator in validators), frame
