"""A person's socket, whatever it speaks, and all of them in this process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal
from uuid import UUID

from app.lib.realtime.events import Delivery
from app.lib.realtime.frames import CloseCode, Presence
from app.lib.realtime.hub import Hub
from app.lib.realtime.outgoing import Outgoing
from app.lib.security.principal import Principal

SocketKind = Literal["socket", "stream", "lobby"]

MAX_SOCKETS = 10
MAX_CHANNELS = 100


class Socket:
    """A :class:`.hub.Subscriber` with a bounded queue. Subclasses say how events look by overriding :meth:`deliver`."""

    kind: SocketKind = "socket"

    def __init__(self, principal: Principal, label: str | None = None) -> None:
        self.id: UUID
        self.principal = principal
        self.label = label
        self.outgoing = Outgoing()

    @property
    def user_id(self) -> UUID:
        """Whose it is."""
        return self.principal.user_id

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Ends the socket; whoever runs it notices."""
        raise NotImplementedError

    def deliver(self, delivery: Delivery) -> None:
        """Queues the event's frame."""
        raise NotImplementedError

    def show_presence(self, frame: Presence, text: str) -> None:
        """Queues the frame."""
        raise NotImplementedError


class Sockets:
    """The sockets of this process: counted, watched, and closed when their time has come."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    @asynccontextmanager
    async def opened(self, socket: Socket) -> AsyncGenerator[None]:
        """Registers a socket for as long as the context lasts. Raises ``TooManySockets``, or ``RealtimeUnavailable``.

        At the end its subscriptions and its presence are over and its farewell is said.
        """
        raise NotImplementedError
        yield

    def look_again(self) -> None:
        """Asks at once which sessions are alive, instead of within half a second. Does not wait."""
        raise NotImplementedError
