"""Create, update and close rooms."""

from uuid import UUID

from app.domain.realtime.dtos import OWNER, RoomCreate, RoomRead, RoomUpdate
from app.domain.realtime.errors import RoomClosed, RoomNotVisible, TooManyRooms
from app.domain.realtime.models import Room
from app.domain.realtime.names import MAX_OWNED
from app.domain.realtime.repositories.rooms import RoomRepository
from app.domain.realtime.rows import Standing
from app.domain.realtime.services.access import can_see, require_can_manage
from app.domain.realtime.services.announcements import ROOM_CLOSED, ROOM_UPDATED, room_event
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.realtime.channels import NewEvent
from app.lib.realtime.log import ChannelWriter
from app.lib.security.principal import Principal
from app.lib.text import casefold_key
from app.lib.wire.dto import provided


class RoomService:
    """In one unit of work. Every change locks the room first, and publishes what has changed last."""

    def __init__(self, unit: UnitOfWork, writer: ChannelWriter, origin: Origin) -> None:
        self.unit = unit
        self._writer = writer
        self._origin = origin
        self._rooms = RoomRepository(unit)

    async def create(self, data: RoomCreate, actor: Principal) -> RoomRead:
        """A room of the actor. Raises ``RoomNameTaken`` or ``TooManyRooms``."""
        await self._rooms.lock_person(actor.user_id, alone=True)
        if await self._rooms.count_open_of(actor.user_id) >= MAX_OWNED:
            raise TooManyRooms
        room = await self._rooms.create(
            Room(
                id=new_id(),
                name=data.name,
                title=data.title,
                search_text=_search_text(data.name, data.title),
                visibility=data.visibility,
            )
        )
        await self._rooms.create_member(room.id, actor.user_id, OWNER)
        return await self._read(room, actor)

    async def update(self, room_id: UUID, data: RoomUpdate, if_match: IfMatch, actor: Principal) -> RoomRead:
        """Raises ``RoomNotFound``, ``NotYourRoom``, ``PreconditionFailed``, ``RoomClosed`` or ``RoomNameTaken``."""
        room, standing = await self._lock_managed(room_id, if_match, actor)
        if room.closed_at is not None:
            raise RoomClosed
        values = provided(data)
        values["search_text"] = _search_text(values.get("name", room.name), values.get("title", room.title))
        if await self._rooms.update(room, values):
            await self._audit("room.updated", room, standing, fields=sorted(provided(data)))
            await self._writer.publish_in(self.unit, room_event(room, ROOM_UPDATED))
        return await self._read(room, actor)

    async def close(self, room_id: UUID, if_match: IfMatch, actor: Principal) -> RoomRead:
        """For good: no one joins or publishes any more. Nothing happens when it is closed already.

        Raises ``RoomNotFound``, ``NotYourRoom`` or ``PreconditionFailed``.
        """
        room, standing = await self._lock_managed(room_id, if_match, actor)
        if room.closed_at is None:
            await self._audit("room.closed", room, standing)
            await self._writer.publish_in(self.unit, await close_room(room, self._rooms))
        return await self._read(room, actor)

    async def _lock_managed(self, room_id: UUID, if_match: IfMatch, actor: Principal) -> tuple[Room, Standing]:
        room, standing = await lock_visible(self._rooms, room_id, actor)
        require_can_manage(standing, actor)
        if_match.check(room.version)
        return room, standing

    async def _audit(self, kind: str, room: Room, standing: Standing, **details: object) -> None:
        """Records what staff does to the rooms of others, and nothing of what owners do to their own."""
        if standing.role != OWNER:
            await audit.record(self.unit, kind, self._origin, subject_id=room.id, **details)

    async def _read(self, room: Room, actor: Principal) -> RoomRead:
        return (await self._rooms.read(room.id, actor.user_id)).to_read()


async def lock_visible(rooms: RoomRepository, room_id: UUID, actor: Principal) -> tuple[Room, Standing]:
    """A room, locked, and what the actor is to it.

    Raises ``RoomNotFound`` for one that is not there, and ``RoomNotVisible`` for one that the actor must not know of.
    """
    room = await rooms.get_for_update(room_id)
    standing = await rooms.standing(room.id, actor.user_id)
    if not can_see(room.visibility, standing, actor):
        raise RoomNotVisible
    return room, standing


async def close_room(room: Room, rooms: RoomRepository) -> NewEvent:
    """Closes a room that is locked and open. Returns the event that must be published."""
    await rooms.update(room, {"closed_at": utc_now()})
    return room_event(room, ROOM_CLOSED)


def _search_text(name: str, title: str | None) -> str:
    return "\n".join((casefold_key(name), casefold_key(title or "")))
