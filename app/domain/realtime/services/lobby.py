"""The simplest of protocols: what somebody says, everybody in the lobby hears as plain text."""

from collections.abc import Awaitable, Callable
from typing import ClassVar

import msgspec

from app.lib.realtime.connection import TextSocket
from app.lib.realtime.events import Delivery, LostSocket, NewEvent
from app.lib.realtime.frames import CloseCode, Presence
from app.lib.realtime.hub import Hub
from app.lib.realtime.refusals import refusal_of
from app.lib.realtime.sockets import SocketKind
from app.lib.realtime.subscribing import Greeting
from app.lib.security.principal import Principal

LOBBY = "lobby"
"""The channel behind it. The gate knows of none, so that nobody subscribes to it by frames."""

SAID, LEFT = "message", "left"


_BREAKS = dict.fromkeys([*range(9), *range(10, 32), *range(127, 160), 0x2028, 0x2029], " ")
"""Whatever ends a line somewhere, and other control characters but the tab: a reader of lines would take what comes
after it for a message of the service.
"""


class _Said(msgspec.Struct, frozen=True):
    client_id: str
    text: str = ""


class LobbySocket(TextSocket):
    """``client_id`` is what others see, and nothing more: who somebody is comes with the principal.

    ``accept`` opens the WebSocket. It is called when the socket hears already, so that whoever is connected misses
    nothing from then on.
    """

    kind: ClassVar[SocketKind] = "lobby"
    ping_text: ClassVar[str | None] = None

    def __init__(self, principal: Principal, client_id: str, accept: Callable[[], Awaitable[None]]) -> None:
        super().__init__(principal, client_id)
        self._client_id = client_id
        self._accept = accept
        self._is_open = False
        self._early: list[str] = []

    async def prepared(self) -> None:
        """Nothing is sent on joining, and nothing of what was said before."""
        await self.surroundings.hub.attach(self, LOBBY, _no_greeting, admit=_everybody)
        await self._accept()
        self._is_open = True
        for text in self._early:
            self.put(text)

    async def on_text(self, text: str) -> None:
        """To everybody, on all workers, and to oneself, too. The protocol has no word for what could not be said."""
        data = msgspec.json.encode(_Said(self._client_id, text.translate(_BREAKS)))
        event = NewEvent(channel=LOBBY, event=SAID, data=data, sender=self.user_id)
        try:
            await self.surroundings.hub.publish(event)
        except Exception as exc:
            if not refusal_of(exc).retryable:
                raise

    def deliver(self, delivery: Delivery) -> None:
        event = delivery.event
        said = msgspec.json.decode(event.data, type=_Said)
        text = f"Client {said.client_id}: {said.text}" if event.event == SAID else f"Client {said.client_id} left"
        if self._is_open:
            self.put(text)
        else:
            self._early.append(text)

    def show_presence(self, frame: Presence, text: str) -> None:
        """There is none."""

    def ended(self, channel: str, reason: str) -> None:
        """Clients come back, and hear what is said from then on."""
        self.close(CloseCode.RESTARTING, reason)

    def _leave(self, hub: Hub) -> None:
        hub.detach(self, LOBBY)
        super()._leave(hub)


def farewell(lost: LostSocket) -> NewEvent | None:
    """What the others hear when somebody has gone."""
    if lost.kind != LobbySocket.kind or lost.label is None:
        return None
    return NewEvent(channel=LOBBY, event=LEFT, data=msgspec.json.encode(_Said(lost.label)))


async def _everybody() -> None:
    pass


def _no_greeting(_greeting: Greeting) -> None:
    pass
