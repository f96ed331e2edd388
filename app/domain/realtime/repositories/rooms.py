from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, bindparam, delete, exists, func, insert, select, tuple_, update

from app.domain.accounts.models import Profile, User
from app.domain.accounts.rows import public_name
from app.domain.realtime.dtos import OWNER, MemberRole
from app.domain.realtime.errors import RoomNameTaken, RoomNotFound
from app.domain.realtime.models import Room, RoomInvitation, RoomMember
from app.domain.realtime.repositories.reads import room_by_id
from app.domain.realtime.rows import RoomRow, Standing
from app.lib.clock import utc_now
from app.lib.db.base import table_of
from app.lib.db.prepared import prepare
from app.lib.db.repositories import EntityRepository
from app.lib.realtime.tables import RealtimeEvent

_members, _invitations, _events = table_of(RoomMember), table_of(RoomInvitation), table_of(RealtimeEvent)

_room_id, _user_id = bindparam("in_room", type_=Uuid()), bindparam("of_user", type_=Uuid())
_is_member = (_members.c.room_id == _room_id, _members.c.user_id == _user_id)
_is_invited = (_invitations.c.room_id == _room_id, _invitations.c.user_id == _user_id)

_standing = prepare(
    select(
        select(_members.c.role).where(*_is_member).scalar_subquery().label("role"),
        exists().where(*_is_invited).label("is_invited"),
    ),
    Standing,
)
_create_member = prepare(insert(_members))
_delete_member = prepare(delete(_members).where(*_is_member))
_count_members = prepare(select(func.count()).select_from(_members).where(_members.c.room_id == _room_id), int)
_oldest = (
    select(_members.c.user_id)
    .where(_members.c.room_id == _room_id)
    .order_by(_members.c.joined_at, _members.c.user_id)
    .limit(1)
)
_hand_over = prepare(
    update(_members)
    .where(_members.c.room_id == _room_id, _members.c.user_id == _oldest.scalar_subquery())
    .values(role=OWNER)
)
_create_invitation = prepare(insert(_invitations))
_delete_invitation = prepare(delete(_invitations).where(*_is_invited))
_count_invitations = prepare(
    select(func.count()).select_from(_invitations).where(_invitations.c.room_id == _room_id), int
)
_some_of_sender = (
    select(_events.c.channel, _events.c.id).where(_events.c.sender_id == _user_id).limit(bindparam("most"))
)
_forget_sender = prepare(
    update(_events).where(tuple_(_events.c.channel, _events.c.id).in_(_some_of_sender)).values(sender_id=None)
)


class RoomRepository(EntityRepository[Room]):
    """Rooms with their members and invitations. All changes lock the room first, and accounts before rooms."""

    model = Room
    not_found = RoomNotFound
    taken = {"name": RoomNameTaken}  # noqa: RUF012 - a ClassVar of the base

    async def read(self, room_id: UUID, viewer_id: UUID) -> RoomRow:
        """As this transaction has it."""
        room = await self.unit.first(room_by_id, room_id=room_id, viewer_id=viewer_id)
        assert room is not None, "the room is locked"  # noqa: S101 - tells type checkers what the lock says
        return room

    async def standing(self, room_id: UUID, user_id: UUID) -> Standing:
        (standing,) = await self.unit.all(_standing, in_room=room_id, of_user=user_id)
        return standing

    async def lock_some_of(self, user_id: UUID, most: int) -> Sequence[Room]:
        """The first rooms of a user, always in the same order, so that no two transactions wait for each other."""
        is_in = exists().where(RoomMember.room_id == Room.id, RoomMember.user_id == user_id)
        statement = select(Room).where(is_in).order_by(Room.id).limit(most).with_for_update(of=Room)
        return (await self.unit.session.execute(statement.execution_options(populate_existing=True))).scalars().all()

    async def count_open_of(self, owner_id: UUID) -> int:
        """The number of open rooms that a user owns."""
        found = await self.unit.session.execute(
            select(func.count())
            .select_from(RoomMember)
            .join(Room, Room.id == RoomMember.room_id)
            .where(RoomMember.user_id == owner_id, RoomMember.role == OWNER, Room.closed_at.is_(None))
        )
        return found.scalar_one()

    async def lock_person(self, user_id: UUID, *, alone: bool = False) -> bool:
        """Keeps an account from being deleted; False where there is none that is active.

        With ``alone`` others who do the same have to wait.
        """
        statement = select(User.id).where(User.id == user_id, User.is_active)
        found = await self.unit.session.execute(statement.with_for_update(read=not alone, key_share=True))
        return found.scalar_one_or_none() is not None

    async def name_of(self, user_id: UUID) -> str | None:
        """The public name of an active user."""
        found = await self.unit.session.execute(
            select(Profile.first_name, Profile.last_name, User.name)
            .join(User, User.id == Profile.user_id)
            .where(User.id == user_id)
        )
        return public_name(*found.one())

    async def create_member(self, room_id: UUID, user_id: UUID, role: MemberRole) -> None:
        await self.unit.execute(_create_member, room_id=room_id, user_id=user_id, role=role, joined_at=utc_now())

    async def delete_member(self, room_id: UUID, user_id: UUID) -> None:
        await self.unit.execute(_delete_member, in_room=room_id, of_user=user_id)

    async def count_members(self, room_id: UUID) -> int:
        return await self.unit.first(_count_members, in_room=room_id) or 0

    async def hand_over(self, room_id: UUID) -> bool:
        """Makes the oldest member the owner of a room that has none; False when it has no members."""
        return await self.unit.execute(_hand_over, in_room=room_id) == 1

    async def create_invitation(self, room_id: UUID, user_id: UUID, invited_by: UUID) -> datetime:
        """Returns the instant."""
        now = utc_now()
        await self.unit.execute(
            _create_invitation, room_id=room_id, user_id=user_id, invited_by=invited_by, created_at=now
        )
        return now

    async def delete_invitation(self, room_id: UUID, user_id: UUID) -> bool:
        """Returns whether there was one."""
        return await self.unit.execute(_delete_invitation, in_room=room_id, of_user=user_id) == 1

    async def count_invitations(self, room_id: UUID) -> int:
        return await self.unit.first(_count_invitations, in_room=room_id) or 0

    async def forget_sender(self, user_id: UUID, most: int) -> int:
        """Removes a sender from some of what they have published. Returns the number of events."""
        return await self.unit.execute(_forget_sender, of_user=user_id, most=most)
