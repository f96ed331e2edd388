"""Rooms made in the database, without asking for them."""

from uuid import UUID

from app.core import Core
from app.domain.realtime.dtos import MEMBER, OWNER
from app.domain.realtime.models import Room
from app.domain.realtime.repositories.rooms import InvitationRepository, MemberRepository, RoomRepository
from app.lib.db.base import new_id


async def room_of(owner_id: UUID, core: Core, *, with_: UUID) -> UUID:
    """A public room of a user with another user as member and as invited; its id."""
    room_id = new_id()
    name = f"room-{room_id.hex}"
    async with core.database.independent() as unit:
        await RoomRepository(session=unit.session).insert(
            Room(id=room_id, name=name, title=None, search_text=name, visibility="public")
        )
        members = MemberRepository(unit.session)
        await members.add(room_id, owner_id, OWNER)
        await members.add(room_id, with_, MEMBER)
        await InvitationRepository(unit.session).add(room_id, with_, owner_id)
    return room_id
