"""Rooms that are created in the database, without a request."""

from uuid import UUID

from app.core import Core
from app.domain.realtime.dtos import MEMBER, OWNER
from app.domain.realtime.models import Room
from app.domain.realtime.repositories import RoomRepository
from app.lib.db.base import new_id


async def room_of(owner_id: UUID, core: Core, *, with_: UUID) -> UUID:
    """The id of a public room of the owner. The other user is a member and invited."""
    room_id = new_id()
    name = f"room-{room_id.hex}"
    async with core.database.independent() as unit:
        rooms = RoomRepository(unit)
        await rooms.create(Room(id=room_id, name=name, title=None, search_text=name, visibility="public"))
        await rooms.create_member(room_id, owner_id, OWNER)
        await rooms.create_member(room_id, with_, MEMBER)
        await rooms.create_invitation(room_id, with_, owner_id)
    return room_id
