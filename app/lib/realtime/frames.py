"""The frames of the protocol, both ways: JSON objects whose ``type`` says which one it is."""

import json
from datetime import datetime
from enum import IntEnum
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Raw

from app.lib.realtime.errors import FrameCode
from app.lib.realtime.names import MAX_CHANNEL_LENGTH

MAX_FRAME_BYTES = 65_536
"""Of a frame that a client sends."""

MAX_DEPTH = 64
"""How deep arrays and objects of a frame may be nested."""

MAX_DATA_DEPTH = 32
"""The same, of an event's data."""

REPLAY_LIMIT = 200
"""More missed events than these are not replayed."""

MAX_ID = 2**53 - 1

Channel = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_CHANNEL_LENGTH, description="`kind:name`, or a kind alone.", examples=["posts"]),
]
Ref = Annotated[str, Meta(max_length=64, description="Whatever the client wants to have repeated in the answer.")]
# In Python "$" matches before the newline at an end, too; in JSON Schema it does not.
EventName = Annotated[str, Meta(max_length=64, pattern=r"^[a-z][a-z0-9_.-]*$(?!\n)")]
EventId = Annotated[int, Meta(ge=0, le=MAX_ID, description="Increases by one with every event of a channel.")]
Key = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[!-~]+$(?!\n)",
        description="Publishing again with the same key answers the same id, and publishes nothing.",
    ),
]
Token = Annotated[str, Meta(min_length=1, max_length=4096)]


class CloseCode(IntEnum):
    """Why a socket was closed by us (RFC 6455 section 7.4; 4000 and up are the application's own)."""

    GONE = 1001
    INTERNAL_ERROR = 1011
    RESTARTING = 1012
    BAD_FRAME = 4400
    AUTHENTICATE_AGAIN = 4401
    FORBIDDEN = 4403
    TOO_SLOW = 4408
    TOO_LARGE = 4413
    TOO_FAST = 4429


class _FromClient(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag=str.lower):
    pass


class Subscribe(_FromClient):
    """Listen to a channel. With ``since``, the id of the last event seen, what was missed comes first."""

    channel: Channel
    since: EventId | None = None
    ref: Ref | None = None


class Unsubscribe(_FromClient):
    channel: Channel
    ref: Ref | None = None


class Publish(_FromClient):
    """Publish an event. Send it again with the same ``key`` when no ``ack`` came."""

    channel: Channel
    data: Raw
    event: EventName = "message"
    key: Key | None = None
    ref: Ref | None = None


class Ping(_FromClient):
    ref: Ref | None = None


class Pong(_FromClient):
    """The answer to the server's ping."""


class Refresh(_FromClient):
    """A new access token, for a socket that is to outlive its session, or to follow it."""

    token: Token
    ref: Ref | None = None


ClientFrame = Subscribe | Unsubscribe | Publish | Ping | Pong | Refresh


class Member(msgspec.Struct, frozen=True):
    """Somebody who is present."""

    id: UUID
    name: str


class _FromServer(msgspec.Struct, kw_only=True, tag_field="type", tag=str.lower):
    pass


class Subscribed(_FromServer):
    """``recovered``: the ``missed`` events after ``since`` follow, in order, before any newer one.

    When it is false nothing is replayed, and ``missed`` is null when nobody knows how many they were. A client that
    has not seen an event yet resumes from ``last_id``.
    """

    channel: Channel
    ref: Ref | None
    last_id: EventId
    recovered: bool
    missed: int | None
    presence: list[Member]


class Unsubscribed(_FromServer):
    """``reason`` is set when the server has ended it: one of the codes of errors, or ``reset``."""

    channel: Channel
    ref: Ref | None = None
    reason: str | None = None


class Ack(_FromServer):
    """The event is stored and will reach everybody. Comes before the publisher's own copy of it."""

    id: EventId
    ref: Ref | None


class Event(_FromServer):
    """``at`` is the database's time; ``sender`` is the person who published it, or null."""

    channel: Channel
    id: EventId
    event: EventName
    data: Raw
    at: datetime
    sender: UUID | None


class Presence(_FromServer):
    """Who came and who went, a person once however many sockets there are."""

    channel: Channel
    join: list[Member]
    leave: list[Member]


class ServerPing(_FromServer, tag="ping"):
    """To be answered with a ``pong``; a client that has not sent anything through two of them is dropped."""


class ServerPong(_FromServer, tag="pong"):
    ref: Ref | None


class Refreshed(_FromServer):
    expires_at: datetime | None
    ref: Ref | None


class Error(_FromServer):
    """``retryable``: whether the same frame may well succeed a moment later."""

    code: FrameCode
    detail: str
    retryable: bool
    ref: Ref | None
    channel: Channel | None = None


ServerFrame = Subscribed | Unsubscribed | Ack | Event | Presence | ServerPing | ServerPong | Refreshed | Error


class BadFrame(ValueError):
    """What came is no frame. Its text names the fault and repeats nothing that came."""


class NotUnicode(ValueError):
    """A frame with half a surrogate in it, which JSON can write and no text can hold (RFC 8259, section 8.2).

    ``frame`` has replacements there, so that it can be answered.
    """

    def __init__(self, frame: ClientFrame) -> None:
        self.frame = frame


_decoder: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame, strict=True)
_encoder = msgspec.json.Encoder()
_OPENING, _CLOSING = frozenset(b"[{"), frozenset(b"]}")


def encode_frame(frame: ServerFrame) -> str:
    """A frame as text, to be sent to any number of sockets. ``data`` goes as it came."""
    return _encoder.encode(frame).decode()


def decode_frame(text: str) -> ClientFrame:
    """Raises ``BadFrame`` for what is no JSON, too deep, of an unknown type or with unknown or bad fields, and
    ``NotUnicode``.
    """
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise BadFrame("not UTF-8") from None
    if depth_of(raw, MAX_DEPTH) > MAX_DEPTH:
        raise BadFrame("too deep")
    try:
        return _decoder.decode(raw)
    except msgspec.ValidationError as exc:
        raise BadFrame(_without_values(str(exc))) from None
    except (msgspec.DecodeError, RecursionError):
        raise _what_is_wrong_with(text) from None


def _what_is_wrong_with(text: str) -> BadFrame | NotUnicode:
    """Where the decoder found no JSON."""
    try:
        replaced = json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace")
        return NotUnicode(_decoder.decode(replaced))
    except (ValueError, RecursionError):
        return BadFrame("not JSON")


def depth_of(raw: bytes, most: int) -> int:
    """How deep JSON is nested, or at most how deep, where that is no more than ``most``."""
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets <= most:
        return brackets
    depth, deepest, in_string, escaped = 0, 0, False, False
    for byte in raw:
        if escaped:
            escaped = False
        elif in_string:
            escaped, in_string = byte == 0x5C, byte != 0x22  # noqa: PLR2004 - backslash and quote
        elif byte == 0x22:  # noqa: PLR2004 - a quote
            in_string = True
        elif byte in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif byte in _CLOSING:
            depth -= 1
    return deepest


def _without_values(message: str) -> str:
    """The message of msgspec names fields that came; close reasons have 123 bytes and repeat nothing unknown."""
    return message if "unknown field" not in message and "Invalid value" not in message else "unknown type or field"
