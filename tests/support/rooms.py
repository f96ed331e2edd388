"""Rooms that are created in the database, without a request."""

from uuid import UUID

from app.core import Core
from app.domain.realtime.models import Room
from app.domain.realtime.repositories import CREATE_INVITATION, CREATE_MEMBER, RoomRepository
from app.lib.clock import utc_now
from app.lib.db.base import new_id


async def room_of(owner_id: UUID, core: Core, *, with_: UUID) -> UUID:
    """The id of a private room of the owner. The other user is a member and invited."""
    room_id = new_id()
    name = f"room-{room_id.hex}"
    async with core.database.independent() as unit:
        rooms = RoomRepository(unit)
        named = {"name": name, "title": None, "search_text": name}
        await rooms.create(Room(id=room_id, **named, visibility="private", owner_id=owner_id))
        for user_id in (owner_id, with_):
            await unit.execute(CREATE_MEMBER, room_id=room_id, user_id=user_id, joined_at=utc_now())
        await unit.execute(CREATE_INVITATION, room_id=room_id, user_id=with_, invited_by=owner_id, created_at=utc_now())
    return room_id
