"""What workers tell each other. A message is a list of hints about one channel."""

from collections.abc import Iterable
from uuid import UUID

import msgspec
import structlog
from msgspec import Raw

from app.lib.realtime.events import Delivery


class EventHint(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """An event was stored. ``frame`` is what sockets are sent; null when it would be too large."""

    channel: str
    id: int
    key: UUID
    frame: Raw  # an optional one cannot be decoded

    @classmethod
    def of(cls, delivery: Delivery, max_message: int) -> "EventHint":
        """With the body inline when that fits."""
        frame = delivery.frame.encode()
        fits = len(frame) + _ENVELOPE < max_message
        return cls(delivery.channel, delivery.id, delivery.key, Raw(frame) if fits else _NOTHING)

    @property
    def delivery(self) -> Delivery | None:
        """What sockets get, if it came along."""
        frame = bytes(self.frame)
        return None if frame == b"null" else Delivery(self.channel, self.id, self.key, frame.decode())


class PresenceHint(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """Who is there has changed."""

    channel: str
    version: int


class AccessHint(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """Who may be there has changed; for one person, or anybody."""

    channel: str
    version: int
    user_id: UUID | None


Hint = EventHint | PresenceHint | AccessHint

log = structlog.stdlib.get_logger(__name__)

_LIST_OVERHEAD = 2
_ENVELOPE = 300
_NOTHING = Raw(b"null")

_decoder = msgspec.json.Decoder(list[Hint])


def encode_hints(hints: Iterable[Hint], max_message: int) -> list[tuple[str, bytes]]:
    """Messages of at most so many bytes, each about one channel, in the order of the hints of that channel."""
    packed: dict[str, list[list[bytes]]] = {}
    sizes: dict[str, int] = {}
    for hint in hints:
        encoded = msgspec.json.encode(hint)
        groups = packed.setdefault(hint.channel, [])
        size = sizes.get(hint.channel, max_message) + len(encoded) + 1
        if size > max_message:
            groups.append([])
            size = _LIST_OVERHEAD + len(encoded)
        groups[-1].append(encoded)
        sizes[hint.channel] = size
    return [(channel, b"[" + b",".join(group) + b"]") for channel, groups in packed.items() for group in groups]


def decode_hints(data: bytes) -> list[Hint]:
    """Nothing for what cannot be read: another version's worker may have sent it, and the log has it anyway."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as exc:
        log.warning("realtime.hint_unreadable", error=str(exc))
        return []
