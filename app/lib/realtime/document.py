"""The AsyncAPI 3.0 description of the protocol, read off the frames themselves (https://www.asyncapi.com)."""

import inspect
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

import msgspec
from msgspec import Raw

from app.lib.realtime.errors import FrameCode
from app.lib.realtime.frames import (
    Ack,
    ClientFrame,
    CloseCode,
    Error,
    Event,
    Member,
    Ping,
    Pong,
    Presence,
    Publish,
    Refresh,
    Refreshed,
    ServerFrame,
    ServerPing,
    ServerPong,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)

JSONObject = dict[str, Any]

TICKET, BEARER = "Ticket", "Bearer"

CLOSE_CODES: Mapping[CloseCode, str] = {
    CloseCode.GONE: "Nothing came from you through two pings. Connect again, and resume.",
    CloseCode.INTERNAL_ERROR: "Something went wrong on our side. Connect again, and resume.",
    CloseCode.RESTARTING: "The server ends, or the socket was moved. Connect again after 0 to 2 random seconds.",
    CloseCode.BAD_FRAME: "No frame: not JSON, binary, of an unknown type, with unknown or bad fields, or too deep.",
    CloseCode.AUTHENTICATE_AGAIN: "The session has ended, or may not be used any more. Get a new ticket or sign in.",
    CloseCode.FORBIDDEN: "Pages of this origin may not connect, or no channel is left of a stream. Do not try again.",
    CloseCode.TOO_SLOW: "Too much was waiting to be read. Connect again, later each time, and resume.",
    CloseCode.TOO_LARGE: "A frame was larger than 65 536 bytes.",
    CloseCode.TOO_FAST: "Too many frames a second, or too many sockets. Connect again, later each time.",
}

_MEMBER = Member(id=UUID("0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"), name="Ada Lovelace")
_ROOM = "room:harbour"
_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
_DATA = Raw(b'{"text":"Ahoy"}')
EXAMPLES: tuple[ClientFrame | ServerFrame, ...] = (
    Subscribe(channel=_ROOM, since=41, ref="1"),
    Unsubscribe(channel=_ROOM, ref="2"),
    Publish(channel=_ROOM, data=_DATA, key="b3c1f2", ref="3"),
    Ping(ref="4"),
    Pong(),
    Refresh(token="eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", ref="5"),  # noqa: S106 - an example of one
    Subscribed(channel=_ROOM, ref="1", last_id=43, recovered=True, missed=2, presence=[_MEMBER]),
    Unsubscribed(channel=_ROOM, ref="2"),
    Unsubscribed(channel=_ROOM, reason=FrameCode.FORBIDDEN.value),
    Ack(id=44, ref="3"),
    Event(channel=_ROOM, id=44, event="message", data=_DATA, at=_AT, sender=_MEMBER.id),
    Presence(channel=_ROOM, join=[_MEMBER], leave=[]),
    ServerPing(),
    ServerPong(ref="4"),
    Refreshed(expires_at=_AT, ref="5"),
    Error(code=FrameCode.CLOSED, detail="The channel is closed.", retryable=False, ref="3", channel=_ROOM),
)
"""One of each frame at least."""

_EXCHANGES: Mapping[type[Any], tuple[str, tuple[type[Any], ...]]] = {
    Subscribe: ("A client listens to a channel, from now on or from what it has seen last.", (Subscribed, Error)),
    Unsubscribe: ("A client stops listening.", (Unsubscribed, Error)),
    Publish: ("A client publishes an event; by its key, once.", (Ack, Error)),
    Ping: ("A client asks whether anybody is there.", (ServerPong,)),
    Pong: ("A client answers the server's ping.", ()),
    Refresh: ("A client shows a new access token.", (Refreshed, Error)),
}
_UNASKED = (Event, Presence, Unsubscribed, ServerPing, Error)
_STREAMED = (Subscribed, Event, Presence, Unsubscribed)


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What only the service knows: where its sockets and streams are, and what its channels are about.

    ``kinds`` are the kinds of channels, each with a sentence about who may, and what is told there.
    """

    title: str
    version: str
    description: str
    base_url: str
    socket_path: str
    stream_path: str
    plain_path: str
    """A path with the parameter ``client_id``."""
    kinds: Mapping[str, str]


def describe(service: Described) -> JSONObject:
    """The whole document, as plain JSON values."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": service.title,
            "version": service.version,
            "description": _description(service),
            "license": {"name": "MIT"},
            "tags": [{"name": "Realtime"}],
        },
        "defaultContentType": "application/json",
        "servers": _servers(service.base_url),
        "channels": {
            "socket": _socket(service.socket_path),
            "stream": _stream(service.stream_path),
            "plain": _plain(service.plain_path),
        },
        "operations": {**_exchanges(), **_one_way()},
        "components": {
            "messages": {**_messages(), "Line": _LINE},
            "schemas": _schemas(),
            "securitySchemes": _SECURITY,
        },
        "x-close-codes": [
            {"code": code.value, "name": code.name.lower(), "description": text} for code, text in CLOSE_CODES.items()
        ],
    }


_SECURITY: JSONObject = {
    TICKET: {
        "type": "httpApiKey",
        "in": "query",
        "name": "ticket",
        "description": "Of `POST /api/v1/realtime/tickets`; good for one connection within 30 seconds.",
    },
    BEARER: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token, for clients that can send headers.",
    },
}
_QUERY: JSONObject = {"ticket": {"type": "string", "maxLength": 64, "description": "Or the header Authorization."}}
_LINE: JSONObject = {
    "name": "line",
    "title": "A line of text",
    "summary": "What was sent, as `Client {client_id}: …`; or `Client {client_id} left`.",
    "contentType": "text/plain",
    "payload": {"type": "string"},
    "examples": [{"payload": "Client 7: Ahoy"}],
}


def _description(service: Described) -> str:
    kinds = "\n".join(f"- `{kind}`: {text}" for kind, text in service.kinds.items())
    codes = "\n".join(f"- {code.value}: {text}" for code, text in CLOSE_CODES.items())
    return (
        f"{service.description}\n\n## Channels\nA socket carries any number of them, by these names.\n\n{kinds}\n\n"
        f"## Close codes\n{codes}"
    )


def _servers(base_url: str) -> JSONObject:
    scheme, _, host = base_url.partition("://")
    security = [{"$ref": f"#/components/securitySchemes/{name}"} for name in _SECURITY]
    return {
        "sockets": {"host": host, "protocol": scheme.replace("http", "ws"), "security": security},
        "streams": {"host": host, "protocol": scheme, "security": security},
    }


def _socket(path: str) -> JSONObject:
    frames = (*get_args(ClientFrame), *get_args(ServerFrame))
    return {
        "address": path,
        "title": "The WebSocket",
        "description": "Frames are JSON objects in text messages; `type` says which one it is.",
        "servers": [{"$ref": "#/servers/sockets"}],
        "messages": _references(frames),
        "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": _QUERY}}},
    }


def _stream(path: str) -> JSONObject:
    return {
        "address": path,
        "title": "Server-Sent Events",
        "description": (
            "`GET` with `channels=posts,room:harbour`: frames as `data`, their types as `event`. The `id` is the "
            "position in all channels, which `Last-Event-ID` (or `last_event_id` in the query) gives back to go on "
            'after it. The last event, `close`, says why: `{"code":1012}`, with the codes of sockets.'
        ),
        "servers": [{"$ref": "#/servers/streams"}],
        "messages": _references(_STREAMED),
    }


def _plain(path: str) -> JSONObject:
    return {
        "address": path,
        "title": "Plain text",
        "description": "What one sends, everybody here receives, the sender too. `client_id` is data and no identity.",
        "servers": [{"$ref": "#/servers/sockets"}],
        "parameters": {"client_id": {"description": "Any text of up to 64 characters."}},
        "messages": {"Line": {"$ref": "#/components/messages/Line"}},
        "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": _QUERY}}},
    }


def _exchanges() -> JSONObject:
    """What clients send, each with the answers to it. The document speaks as the service: it receives them."""
    operations: JSONObject = {}
    for frame, (text, answers) in _EXCHANGES.items():
        operation = operations[frame.__name__.lower()] = _operation("receive", "socket", text, (frame.__name__,))
        if answers:
            expected = _on("socket", [answer.__name__ for answer in answers])
            operation["reply"] = {"channel": {"$ref": "#/channels/socket"}, "messages": expected}
    return operations


def _one_way() -> JSONObject:
    told = "The service tells what nobody has asked for."
    return {
        "tell": _operation("send", "socket", told, [frame.__name__ for frame in _UNASKED]),
        "stream": _operation("send", "stream", told, [frame.__name__ for frame in _STREAMED]),
        "hear": _operation("receive", "plain", "A client says a line to everybody.", ["Line"]),
        "repeat": _operation("send", "plain", "The service tells what somebody has said, or that they left.", ["Line"]),
    }


def _operation(action: str, channel: str, text: str, messages: Iterable[str]) -> JSONObject:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "description": text,
        "messages": _on(channel, messages),
    }


def _on(channel: str, messages: Iterable[str]) -> list[JSONObject]:
    return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages]


def _references(frames: Iterable[type[Any]]) -> JSONObject:
    return {frame.__name__: {"$ref": f"#/components/messages/{frame.__name__}"} for frame in frames}


def _messages() -> JSONObject:
    return {frame.__name__: _message(frame) for frame in (*get_args(ClientFrame), *get_args(ServerFrame))}


def _message(frame: type[Any]) -> JSONObject:
    examples = [msgspec.json.decode(msgspec.json.encode(each)) for each in EXAMPLES if type(each) is frame]
    message: JSONObject = {
        "name": str(frame.__struct_config__.tag),
        "title": frame.__name__,
        "payload": {"$ref": f"#/components/schemas/{frame.__name__}"},
        "examples": [{"payload": example} for example in examples],
    }
    if "ref" in frame.__struct_fields__:
        message["correlationId"] = {"location": "$message.payload#/ref"}
    if summary := _text(frame.__doc__ or ""):
        message["summary"] = summary
    return message


def _schemas() -> JSONObject:
    frames = (*get_args(ClientFrame), *get_args(ServerFrame))
    _, schemas = msgspec.json.schema_components(frames, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        if text := schema.get("description"):
            schema["description"] = _text(text)
        data = schema.get("properties", {}).get("data")
        if data is not None:
            data["description"] = "Any JSON."
    return schemas


def _text(docstring: str) -> str:
    return " ".join(inspect.cleandoc(docstring).split()).replace("``", "`")
