"""The protocol on one WebSocket, and on any other pair of ears and mouth."""

from typing import Protocol

from app.lib.realtime.sockets import Socket


class Transport(Protocol):
    """An accepted WebSocket. ``send`` and ``receive`` may wait for ever; they are cancelled when that is too long."""

    async def receive(self) -> str | bytes | None:
        """The next message; None when the peer is gone."""
        ...

    async def send(self, text: str) -> None:
        """One text message."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Says good-bye."""
        ...


class TextSocket(Socket):
    """A socket on a :class:`Transport`: reading, limits of size and rate, writing, closing.

    Subclasses do something with each text; what they raise closes the socket.
    """

    async def opened(self) -> None:
        """Called once, before anything is read."""

    async def on_text(self, text: str) -> None:
        """A message within the limits. The next one is read when this returns."""
        raise NotImplementedError


class Connection(TextSocket):
    """The JSON protocol of :mod:`.frames`."""
