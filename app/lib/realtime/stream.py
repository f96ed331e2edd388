"""A socket that only listens, for Server-Sent Events."""

from collections.abc import AsyncGenerator, Mapping

import msgspec

from app.lib.realtime.sockets import Socket


class StreamItem(msgspec.Struct, frozen=True):
    """One item of a stream: the frame's text, and the positions of all channels once it is seen (None for frames that
    are no events and must not carry an ``id:``). ``text`` None is a sign of life: send a comment.
    """

    text: str | None
    position: str | None
    kind: str


class Stream(Socket):
    """Subscribes to channels and yields what comes, until the socket is closed."""

    kind = "stream"

    def items(self) -> AsyncGenerator[StreamItem]:
        """What to send, with a sign of life every 15 seconds. Ends when the socket is closed, for whatever reason."""
        raise NotImplementedError


def parse_positions(text: str) -> Mapping[str, int]:
    """``posts=12,room:x=5`` as ids by channel. Raises ``ValueError``."""
    raise NotImplementedError


def format_positions(positions: Mapping[str, int]) -> str:
    """The other way round."""
    raise NotImplementedError
