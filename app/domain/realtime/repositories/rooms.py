from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import CursorResult, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.accounts.models import Profile, User
from app.domain.accounts.rows import public_name
from app.domain.realtime.dtos import MEMBER, OWNER
from app.domain.realtime.models import Room, RoomInvitation, RoomMember
from app.domain.realtime.repositories.reads import seen_rooms
from app.domain.realtime.rows import SeenRoom, Standing
from app.lib.clock import utc_now
from app.lib.db.repository import Repository


class RoomRepository(Repository[Room]):
    """Who changes a room, or who is in it, locks the room first."""

    model_type = Room

    async def lock_by(self, room: UUID | str) -> Room | None:
        """By id or name, as it is now."""
        condition = Room.id == room if isinstance(room, UUID) else Room.name == room
        statement = select(Room).where(condition).with_for_update().execution_options(populate_existing=True)
        return (await self.session.execute(statement)).scalar_one_or_none()

    async def read(self, room_id: UUID, viewer_id: UUID) -> SeenRoom:
        """As this transaction has it."""
        found = await self.session.execute(seen_rooms.where(Room.id == room_id), {"viewer_id": viewer_id})
        return SeenRoom(*found.one())

    async def lock_all_of(self, user_id: UUID) -> Sequence[Room]:
        """The rooms that somebody is in, always in the same order, so that nobody waits in a circle."""
        is_in = exists().where(RoomMember.room_id == Room.id, RoomMember.user_id == user_id)
        statement = select(Room).where(is_in).order_by(Room.id).with_for_update(of=Room)
        return (await self.session.execute(statement.execution_options(populate_existing=True))).scalars().all()

    async def count_open_of(self, owner_id: UUID) -> int:
        """How many open rooms somebody owns."""
        found = await self.session.execute(
            select(func.count())
            .select_from(RoomMember)
            .join(Room, Room.id == RoomMember.room_id)
            .where(RoomMember.user_id == owner_id, RoomMember.role == OWNER, Room.closed_at.is_(None))
        )
        return found.scalar_one()

    async def hold_person(self, user_id: UUID, *, alone: bool = False) -> bool:
        """Keeps an account from being deleted; False where there is none that is active.

        First, because everybody locks accounts before rooms. With ``alone`` others who do the same have to wait.
        """
        statement = select(User.id).where(User.id == user_id, User.is_active)
        found = await self.session.execute(statement.with_for_update(read=not alone, key_share=True))
        return found.scalar_one_or_none() is not None


class MemberRepository:
    """Of rooms that are locked."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def standing(self, room_id: UUID, user_id: UUID) -> Standing:
        found = await self._session.execute(
            select(RoomMember.role).where(RoomMember.room_id == room_id, RoomMember.user_id == user_id)
        )
        invited = await self._session.execute(
            select(RoomInvitation.user_id).where(RoomInvitation.room_id == room_id, RoomInvitation.user_id == user_id)
        )
        role = found.scalar_one_or_none()
        return Standing(OWNER if role == OWNER else MEMBER if role else None, invited.first() is not None)

    async def name_of(self, user_id: UUID) -> str | None:
        """What others call somebody who is active."""
        found = await self._session.execute(
            select(Profile.first_name, Profile.last_name, User.name)
            .join(User, User.id == Profile.user_id)
            .where(User.id == user_id)
        )
        return public_name(*found.one())

    async def add(self, room_id: UUID, user_id: UUID, role: str) -> None:
        await self._session.execute(
            insert(RoomMember).values(room_id=room_id, user_id=user_id, role=role, joined_at=utc_now())
        )

    async def remove(self, room_id: UUID, user_id: UUID) -> None:
        await self._session.execute(
            delete(RoomMember).where(RoomMember.room_id == room_id, RoomMember.user_id == user_id)
        )

    async def count(self, room_id: UUID) -> int:
        return (
            await self._session.execute(
                select(func.count()).select_from(RoomMember).where(RoomMember.room_id == room_id)
            )
        ).scalar_one()

    async def oldest(self, room_id: UUID) -> UUID | None:
        """Who has been in the room for longest."""
        found = await self._session.execute(
            select(RoomMember.user_id)
            .where(RoomMember.room_id == room_id)
            .order_by(RoomMember.joined_at, RoomMember.user_id)
            .limit(1)
        )
        return found.scalar_one_or_none()

    async def make_owner(self, room_id: UUID, user_id: UUID) -> None:
        """Of a room that has no owner."""
        await self._session.execute(
            update(RoomMember)
            .where(RoomMember.room_id == room_id, RoomMember.user_id == user_id)
            .values(role=OWNER)
            .execution_options(synchronize_session=False)
        )


class InvitationRepository:
    """To rooms that are locked."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, room_id: UUID, user_id: UUID, invited_by: UUID) -> datetime:
        """When it was made."""
        now = utc_now()
        await self._session.execute(
            insert(RoomInvitation).values(room_id=room_id, user_id=user_id, invited_by=invited_by, created_at=now)
        )
        return now

    async def remove(self, room_id: UUID, user_id: UUID) -> bool:
        """Whether there was one."""
        removed = await self._session.execute(
            delete(RoomInvitation).where(RoomInvitation.room_id == room_id, RoomInvitation.user_id == user_id)
        )
        return isinstance(removed, CursorResult) and removed.rowcount == 1

    async def count(self, room_id: UUID) -> int:
        return (
            await self._session.execute(
                select(func.count()).select_from(RoomInvitation).where(RoomInvitation.room_id == room_id)
            )
        ).scalar_one()
