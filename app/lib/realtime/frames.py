"""The frames of the protocol, both ways: JSON objects whose ``type`` says which one it is."""

import json
import math
import re
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Raw

from app.lib.realtime.channels import Member
from app.lib.realtime.errors import FrameCode, InvalidData
from app.lib.realtime.tables import MAX_CHANNEL_LENGTH

MAX_FRAME_BYTES = 65_536
"""Of a frame that a client sends."""

MAX_DEPTH = 64
"""How deep arrays and objects of a frame may be nested."""

MAX_DATA_DEPTH = 32
"""The same, of an event's data."""

REPLAY_LIMIT = 200
"""More missed events than these are not replayed."""

MAX_ID = 2**53 - 1
NOT_UNICODE = "Text must be valid Unicode, without unpaired surrogates."

Channel = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_CHANNEL_LENGTH, description="`kind:name`, or a kind alone.", examples=["posts"]),
]
Ref = Annotated[str, Meta(max_length=64, description="Any text; the answer repeats it.")]
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
    """Why the service closed a socket (RFC 6455, section 7.4; 4000 and up are for applications)."""

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
    """A new access token, for a socket that must outlive its session."""

    token: Token
    ref: Ref | None = None


ClientFrame = Subscribe | Unsubscribe | Publish | Ping | Pong | Refresh


class _FromServer(msgspec.Struct, kw_only=True, tag_field="type", tag=str.lower):
    pass


class Subscribed(_FromServer):
    """``recovered``: the ``missed`` events after ``since`` follow, in order, before any newer one.

    When it is false nothing is replayed, and ``missed`` is null where their number is unknown. A client that has not
    seen an event yet resumes from ``last_id``.
    """

    channel: Channel
    ref: Ref | None
    last_id: EventId
    recovered: bool
    missed: int | None
    presence: list[Member]


class Unsubscribed(_FromServer):
    """``reason`` is set when the service has ended it: one of the codes of errors, or ``reset``."""

    channel: Channel
    ref: Ref | None = None
    reason: str | None = None


class Ack(_FromServer):
    """The event is stored and will reach all subscribers. Comes before the publisher's own copy of it."""

    id: EventId
    ref: Ref | None


class Event(_FromServer):
    """``sent_at`` is the database's time; ``sender_id`` is the person who published it, or null."""

    channel: Channel
    id: EventId
    event: EventName
    data: Raw
    sent_at: datetime
    sender_id: UUID | None


class Presence(_FromServer):
    """Who came and who went; a person counts once, with any number of sockets."""

    channel: Channel
    join: list[Member]
    leave: list[Member]


class ServerPing(_FromServer, tag="ping"):
    """Answer it with a ``pong``; a client that sends nothing during two of them is dropped."""


class ServerPong(_FromServer, tag="pong"):
    ref: Ref | None


class Refreshed(_FromServer):
    expires_at: datetime | None
    ref: Ref | None


class Error(_FromServer):
    """``retryable``: whether the same frame may succeed a moment later."""

    code: FrameCode
    detail: str
    retryable: bool
    ref: Ref | None
    channel: Channel | None = None


ServerFrame = Subscribed | Unsubscribed | Ack | Event | Presence | ServerPing | ServerPong | Refreshed | Error


class BadFrame(ValueError):
    """The text is not a frame. The message names the fault and repeats nothing of the text."""


class NotUnicode(ValueError):
    """A frame with half a surrogate pair, which JSON can write and no text can hold (RFC 8259, section 8.2).

    ``frame`` has replacement characters there, so that it can be answered.
    """

    def __init__(self, frame: ClientFrame) -> None:
        self.frame = frame


_decoder: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame, strict=True)
_encoder = msgspec.json.Encoder()
# Possessive, and without an end that a string must have: any text is read once.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_OPENING, _CLOSING = frozenset(b"[{"), frozenset(b"]}")
_ALL_BUT_BRACKETS = bytes(set(range(256)) - _OPENING - _CLOSING)
_REST = 1_024
"""Bytes of a frame that publishes, besides its data."""
_LEAST, _MOST = -(2**63), 2**63 - 1
_LONGEST = len(str(_LEAST))


def encode_frame(frame: ServerFrame) -> str:
    """A frame as text, for any number of sockets. ``data`` goes as it came."""
    return _encoder.encode(frame).decode()


def decode_frame(text: str, most: int = MAX_FRAME_BYTES) -> ClientFrame:
    """Raises ``BadFrame`` for what is not JSON, too deep, of an unknown type or with unknown or bad fields, and
    ``NotUnicode``. Data of more than ``most`` bytes is not looked into: it is too large anyway.
    """
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise BadFrame("not UTF-8") from None
    try:
        frame = _decoder.decode(raw)
    except msgspec.ValidationError as exc:
        # Close reasons have 123 bytes, and repeat no names that came.
        message = str(exc)
        is_about_names = "unknown field" in message or "Invalid value" in message
        raise BadFrame("unknown type or field" if is_about_names else message) from None
    except RecursionError:
        raise BadFrame("too deep") from None
    except msgspec.DecodeError:
        pass
    else:
        _check_depth(frame, most)
        return frame
    if len(raw) > most + _REST:
        raise BadFrame("not JSON")
    try:
        replaced = json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace")
        frame = _decoder.decode(replaced)
    except (ValueError, RecursionError):
        raise BadFrame("not JSON") from None
    _check_depth(frame, most)
    raise NotUnicode(frame)


def check_data(raw: bytes) -> None:
    """Accepts the JSON that every reader reads in the same way (I-JSON, RFC 7493). Raises ``InvalidData``: a reader
    that fails at an event would get it again from the history, and fail again.
    """
    if depth_of(raw) > MAX_DATA_DEPTH:
        raise InvalidData(f"Data may be nested {MAX_DATA_DEPTH} levels deep at most.")
    json.loads(raw, parse_int=_check_integer, parse_float=_check_number, object_pairs_hook=_check_members)
    try:
        msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise InvalidData(NOT_UNICODE) from None


def depth_of(raw: bytes) -> int:
    """How deep JSON is nested."""
    depth = deepest = 0
    for byte in _STRINGS.sub(b"", raw).translate(None, _ALL_BUT_BRACKETS):
        if byte in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


def _check_depth(frame: ClientFrame, most: int) -> None:
    """Only data can be nested."""
    if isinstance(frame, Publish) and len(bytes(frame.data)) <= most and depth_of(bytes(frame.data)) >= MAX_DEPTH:
        raise BadFrame("too deep")


def _check_integer(text: str) -> int:
    if len(text) > _LONGEST or not _LEAST <= (number := int(text)) <= _MOST:
        raise InvalidData("An integer must fit into 64 bits.")
    return number


def _check_number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidData("A number is too large for a double.")
    return number


def _check_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidData("An object has the same member twice.")
    return found
