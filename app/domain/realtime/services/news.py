"""What the people in a room are told of the room itself."""

from typing import Any, Protocol
from uuid import UUID

import msgspec

from app.domain.realtime.jobs import Notice, Notices, tell_later
from app.domain.realtime.models import Room
from app.domain.realtime.names import room_channel, user_channel
from app.lib.db.uow import UnitOfWork
from app.lib.jobs import enqueue
from app.lib.realtime.events import NewEvent
from app.lib.realtime.hub import Hub

UPDATED = "room.updated"
CLOSED = "room.closed"
JOINED = "room.joined"
LEFT = "room.left"
INVITED = "room.invited"


class RoomNews(Protocol):
    """Told with the commit of a unit of work, to a room that is locked. Last, because it locks the channel, too."""

    async def tell(self, room: Room, event: str, user_id: UUID | None = None) -> None: ...
    async def access_changed(self, room: Room, user_id: UUID) -> None: ...


class DirectNews:
    """In the transaction itself, so in the order in which it happens."""

    def __init__(self, unit: UnitOfWork, hub: Hub) -> None:
        self._unit = unit
        self._hub = hub

    async def tell(self, room: Room, event: str, user_id: UUID | None = None) -> None:
        await self._publish(room_channel(room.name), event, _data(room, user_id))

    async def tell_invited(self, room: Room, user_id: UUID, invited_by: UUID) -> None:
        """To whoever is invited, on their own channel, because they do not hear the room's."""
        await self._publish(user_channel(user_id), INVITED, {**_data(room, user_id), "invited_by": str(invited_by)})

    async def access_changed(self, room: Room, user_id: UUID) -> None:
        """Their sockets have to ask again whether they may listen."""
        await self._hub.recheck(self._unit, room_channel(room.name), user_id)

    async def _publish(self, channel: str, event: str, data: dict[str, Any]) -> None:
        await self._hub.publish_in(self._unit, NewEvent(channel=channel, event=event, data=msgspec.json.encode(data)))


def _data(room: Room, user_id: UUID | None) -> dict[str, Any]:
    concerned = {} if user_id is None else {"user_id": str(user_id)}
    return {"room_id": str(room.id), "name": room.name, "version": room.version, **concerned}


class LateNews:
    """By a job after the commit, for a unit of work that changes many rooms and must not hold up all of them."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._notices: list[Notice] = []

    async def tell(self, room: Room, event: str, user_id: UUID | None = None) -> None:
        self._notices.append(Notice(room_channel(room.name), event, _data(room, user_id)))

    async def access_changed(self, room: Room, user_id: UUID) -> None:
        """Nothing to do: their sockets end with their sessions."""

    async def send(self) -> None:
        """Hands over what was told."""
        if self._notices:
            await enqueue(self._unit, tell_later, Notices(self._notices))
