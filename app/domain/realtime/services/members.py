"""Join and leave rooms, and invite to them."""

from uuid import UUID

from app.domain.realtime.dtos import MEMBER, OWNER, PUBLIC, InvitationCreate, InvitationRead, PersonRead, RoomRead
from app.domain.realtime.errors import (
    AlreadyInvited,
    AlreadyMember,
    InvitationNotFound,
    InviteeNotFound,
    MemberNotFound,
    NotInvited,
    RoomClosed,
    RoomFull,
    TooManyInvitations,
)
from app.domain.realtime.models import Room
from app.domain.realtime.names import MAX_INVITATIONS, MAX_MEMBERS
from app.domain.realtime.repositories.rooms import RoomRepository
from app.domain.realtime.rows import Standing
from app.domain.realtime.services.access import require_can_manage
from app.domain.realtime.services.announcements import (
    ROOM_JOINED,
    ROOM_LEFT,
    ROOM_UPDATED,
    invitation_event,
    room_event,
)
from app.domain.realtime.services.rooms import close_room, lock_visible
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.realtime.channels import NewEvent
from app.lib.realtime.log import ChannelWriter
from app.lib.security.principal import Principal

_ROOMS_AT_A_TIME = 100


class MemberService:
    """In one unit of work. Accounts are locked before rooms, rooms before their members, channels last."""

    def __init__(self, unit: UnitOfWork, writer: ChannelWriter, origin: Origin) -> None:
        self.unit = unit
        self._writer = writer
        self._origin = origin
        self._rooms = RoomRepository(unit)

    async def join(self, reference: str, actor: Principal) -> RoomRead:
        """Nothing happens when the actor is a member already.

        Raises ``RoomNotFound``, ``RoomClosed``, ``NotInvited`` or ``RoomFull``.
        """
        await self._rooms.lock_person(actor.user_id)
        room, standing = await lock_visible(self._rooms, reference, actor)
        if standing.role is None:
            if room.closed_at is not None:
                raise RoomClosed
            if room.visibility != PUBLIC and not standing.is_invited:
                raise NotInvited
            if await self._rooms.count_members(room.id) >= MAX_MEMBERS:
                raise RoomFull
            await self._rooms.create_member(room.id, actor.user_id, MEMBER)
            await self._rooms.delete_invitation(room.id, actor.user_id)
            await self._writer.publish_in(self.unit, room_event(room, ROOM_JOINED, actor.user_id))
        return (await self._rooms.read(room.id, actor.user_id)).to_read()

    async def leave(self, reference: str, actor: Principal) -> None:
        """Nothing happens when the actor is not a member. Raises ``RoomNotFound``."""
        room, standing = await lock_visible(self._rooms, reference, actor)
        if standing.role is not None:
            await self._writer.publish_in(self.unit, *await remove_member(room, actor.user_id, standing, self._rooms))

    async def delete(self, reference: str, user_id: UUID, actor: Principal) -> None:
        """Removes the actor, or by the owner any member. Raises ``RoomNotFound``, ``NotYourRoom`` or
        ``MemberNotFound``.
        """
        room, standing = await lock_visible(self._rooms, reference, actor)
        if user_id != actor.user_id:
            require_can_manage(standing, actor)
        member = await self._rooms.standing(room.id, user_id)
        if member.role is None:
            raise MemberNotFound
        if standing.role is None:  # what staff does
            details = {"room_id": str(room.id)}
            await audit.record(self.unit, "room.member_removed", self._origin, subject_id=user_id, **details)
        await self._writer.publish_in(self.unit, *await remove_member(room, user_id, member, self._rooms))

    async def create_invitation(
        self, reference: str, data: InvitationCreate, actor: Principal
    ) -> tuple[UUID, InvitationRead]:
        """Returns the room's id and the invitation.

        Raises ``RoomNotFound``, ``NotYourRoom``, ``RoomClosed``, ``InviteeNotFound``, ``AlreadyMember``,
        ``AlreadyInvited`` or ``TooManyInvitations``.
        """
        exists = await self._rooms.lock_person(data.user_id)
        room, standing = await lock_visible(self._rooms, reference, actor)
        require_can_manage(standing, actor)
        if room.closed_at is not None:
            raise RoomClosed
        if not exists:
            raise InviteeNotFound
        invitee = await self._rooms.standing(room.id, data.user_id)
        if invitee.role is not None:
            raise AlreadyMember
        if invitee.is_invited:
            raise AlreadyInvited
        if await self._rooms.count_invitations(room.id) >= MAX_INVITATIONS:
            raise TooManyInvitations
        created_at = await self._rooms.create_invitation(room.id, data.user_id, actor.user_id)
        person = PersonRead(id=data.user_id, name=await self._rooms.name_of(data.user_id))
        await self._writer.publish_in(self.unit, invitation_event(room, data.user_id, actor.user_id))
        return room.id, InvitationRead(user=person, invited_by=actor.user_id, created_at=created_at)

    async def delete_invitation(self, reference: str, user_id: UUID, actor: Principal) -> None:
        """Withdrawn by the owner, or declined by the invited person.

        Raises ``RoomNotFound``, ``NotYourRoom`` or ``InvitationNotFound``.
        """
        room, standing = await lock_visible(self._rooms, reference, actor)
        if user_id != actor.user_id:
            require_can_manage(standing, actor)
        if not await self._rooms.delete_invitation(room.id, user_id):
            raise InvitationNotFound


async def remove_member(room: Room, user_id: UUID, standing: Standing, rooms: RoomRepository) -> list[NewEvent]:
    """Ends a membership of a locked room. A room without an owner goes to its oldest member, or is closed.

    Returns the events that must be published.
    """
    await rooms.delete_member(room.id, user_id)
    events = [room_event(room, ROOM_LEFT, user_id)]
    if standing.role == OWNER:
        if await rooms.hand_over(room.id):
            await rooms.update(room, touch=True)
            events.append(room_event(room, ROOM_UPDATED))
        elif room.closed_at is None:
            events.append(await close_room(room, rooms))
    return events


async def remove_from_rooms(user_id: UUID, unit: UnitOfWork) -> tuple[list[NewEvent], bool]:
    """Before an account is deleted, and its sessions with it. What the user has said stays, without a sender.

    Returns the events that must be published, and whether these were all rooms of the user.
    """
    events: list[NewEvent] = []
    rooms = RoomRepository(unit)
    batch = await rooms.lock_some_of(user_id, _ROOMS_AT_A_TIME)
    for room in batch:
        standing = await rooms.standing(room.id, user_id)
        if standing.role is not None:
            events += await remove_member(room, user_id, standing, rooms)
    return events, len(batch) < _ROOMS_AT_A_TIME
