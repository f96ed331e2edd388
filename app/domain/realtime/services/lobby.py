"""The simplest of protocols: what somebody says, everybody in the lobby hears as plain text."""

import msgspec

from app.lib.realtime.connection import TextSocket
from app.lib.realtime.events import Delivery, LostSocket, NewEvent
from app.lib.realtime.frames import Presence
from app.lib.realtime.hub import Greeting, Hub
from app.lib.security.principal import Principal

LOBBY = "lobby"
"""The channel behind it. It is nobody's to subscribe to by frames: see the gate."""

SAID, LEFT = "message", "left"


class _Said(msgspec.Struct, frozen=True):
    client_id: str
    text: str = ""


class LobbySocket(TextSocket):
    """``client_id`` is what others see, and nothing more: who somebody is comes with the principal."""

    kind = "lobby"

    def __init__(self, principal: Principal, client_id: str, hub: Hub) -> None:
        super().__init__(principal, client_id)
        self._client_id = client_id
        self._hub = hub

    async def opened(self) -> None:
        """Nothing is sent on joining, and nothing of what was said before."""
        await self._hub.attach(self, LOBBY, _ignore)

    async def on_text(self, text: str) -> None:
        """To everybody, on all workers, and to oneself, too."""
        data = msgspec.json.encode(_Said(self._client_id, text))
        await self._hub.publish(NewEvent(channel=LOBBY, event=SAID, data=data, sender=self.user_id))

    def deliver(self, delivery: Delivery) -> None:
        event = delivery.event
        said = msgspec.json.decode(event.data, type=_Said)
        text = f"Client {said.client_id}: {said.text}" if event.event == SAID else f"Client {said.client_id} left"
        self.outgoing.put(text)

    def show_presence(self, frame: Presence, text: str) -> None:
        """There is none."""


def farewell(lost: LostSocket) -> NewEvent | None:
    """What the others hear when somebody has gone."""
    if lost.kind != LobbySocket.kind or lost.label is None:
        return None
    return NewEvent(channel=LOBBY, event=LEFT, data=msgspec.json.encode(_Said(lost.label)))


def _ignore(_greeting: Greeting) -> None:
    pass
