"""Names of channels: a kind alone (``posts``), or a kind and a name (``room:lobby``)."""

import re

import msgspec

from app.lib.realtime.errors import InvalidChannel

MAX_CHANNEL_LENGTH = 97
_PATTERN = re.compile(r"([a-z]{1,32})(?::([A-Za-z0-9_.-]{1,64}))?", re.ASCII)


class ChannelName(msgspec.Struct, frozen=True):
    """A name in its parts. ``name`` is empty for a bare kind."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


def parse_channel(text: str) -> ChannelName:
    """The parts of ``kind`` or ``kind:name``. Raises ``InvalidChannel``."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise InvalidChannel
    return ChannelName(match[1], match[2] or "")
