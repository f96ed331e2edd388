"""The simplest protocol: all people in the lobby get every line of text that one of them sends."""

from typing import ClassVar

import msgspec

from app.lib.realtime.channels import Member, NewEvent
from app.lib.realtime.errors import QuotaReached, refusal_of
from app.lib.realtime.frames import CloseCode, Event, Presence, ServerFrame, Unsubscribed
from app.lib.realtime.sockets import Socket, SocketContext, SocketKind, Transport
from app.lib.security.principal import Principal

LOBBY = "lobby"
"""The channel of the lobby. Frames cannot subscribe to it."""

MAX_CLIENT_ID = 64

_BREAKS = dict.fromkeys([*range(9), *range(10, 32), *range(127, 160), 0x2028, 0x2029], " ")
"""Line ends of all kinds, and other control characters but the tab: a reader of lines would take what comes after one
for a message of the service.
"""


class _Line(msgspec.Struct, frozen=True):
    client_id: str
    text: str


class LobbySocket(Socket):
    """``client_id`` is what others see, and nothing more: the principal is the person."""

    kind: ClassVar[SocketKind] = "lobby"
    ping_text: ClassVar[str | None] = None

    def __init__(self, principal: Principal, context: SocketContext, client_id: str) -> None:
        super().__init__(principal, context)
        self._client_id = client_id

    async def accept(self, transport: Transport) -> None:
        """Subscribes first, so that a client that is connected misses nothing."""
        await self.context.attach(self, LOBBY)
        await super().accept(transport)

    async def admit(self, channel: str) -> Member:
        """All are present, under their client id."""
        return Member(self.id, None, self._client_id, None)

    async def on_text(self, text: str) -> None:
        """Sends the line to all, on all workers, and to the sender, too. The protocol has no word for a failure, so a
        line that is too long ends the connection.
        """
        data = msgspec.json.encode(_Line(self._client_id, text.translate(_BREAKS)))
        if len(data) > self.context.options.max_message_bytes:
            self.close(CloseCode.TOO_LARGE, "too large")
            return
        try:
            await self.context.publish(NewEvent(channel=LOBBY, event="message", data=data, sender=self.user_id))
        except QuotaReached:
            self.close(CloseCode.TOO_FAST, "too much in a day")
        except Exception as exc:
            if not refusal_of(exc).retryable:
                raise

    def send(self, frame: ServerFrame, text: str | None = None) -> None:
        """Sends the line of an event, and says who has left. When the service ends the subscription, the socket is
        closed: clients come back, and hear what is said from then on. There is no greeting.
        """
        if isinstance(frame, Event):
            line = msgspec.json.decode(frame.data, type=_Line)
            self.put(f"Client {line.client_id}: {line.text}")
        elif isinstance(frame, Presence):
            for member in frame.leave:
                self.put(f"Client {member.name} left")
        elif isinstance(frame, Unsubscribed):
            self.close(CloseCode.RESTARTING, frame.reason or "")

    def leave_channels(self) -> None:
        """Not while lines that were sent before are still to be published: others see them first."""
        is_conversing = self._scope is not None
        if not (self.is_gone and is_conversing):
            super().leave_channels()
