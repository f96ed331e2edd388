"""How people come into rooms, and how they go."""

from uuid import UUID

from app.domain.realtime.dtos import MEMBER, OWNER, PUBLIC, InvitationCreate, InvitationRead, PersonRead, RoomRead
from app.domain.realtime.errors import (
    AlreadyInvited,
    AlreadyMember,
    InvitationNotFound,
    MemberNotFound,
    NobodyToInvite,
    NotInvited,
    RoomClosed,
    RoomFull,
    TooManyInvitations,
)
from app.domain.realtime.limits import MAX_INVITATIONS, MAX_MEMBERS
from app.domain.realtime.models import Room
from app.domain.realtime.repositories.rooms import InvitationRepository, MemberRepository, RoomRepository
from app.domain.realtime.services.access import require_rule
from app.domain.realtime.services.news import JOINED, LEFT, DirectNews, LateNews, RoomNews
from app.domain.realtime.services.rooms import hand_on, lock_visible
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.security.principal import Principal


class MemberService:
    """In one unit of work. Accounts are locked before rooms, rooms before what belongs to them."""

    def __init__(self, unit: UnitOfWork, news: DirectNews, origin: Origin) -> None:
        self._unit = unit
        self._news = news
        self._origin = origin
        self._rooms = RoomRepository(session=unit.session)
        self._members = MemberRepository(unit.session)
        self._invitations = InvitationRepository(unit.session)

    async def join(self, reference: str, actor: Principal) -> RoomRead:
        """Nothing happens when they are in it already.

        Raises ``RoomNotFound``, ``RoomClosed``, ``NotInvited`` or ``RoomFull``.
        """
        await self._rooms.hold_person(actor.user_id)
        room, standing = await lock_visible(self._unit, reference, actor)
        if standing.role is None:
            if room.closed_at is not None:
                raise RoomClosed
            if room.visibility != PUBLIC and not standing.is_invited:
                raise NotInvited
            if await self._members.count(room.id) >= MAX_MEMBERS:
                raise RoomFull
            await self._members.add(room.id, actor.user_id, MEMBER)
            await self._invitations.remove(room.id, actor.user_id)
            await self._news.tell(room, JOINED, actor.user_id)
        return (await self._rooms.read(room.id, actor.user_id)).to_read()

    async def leave(self, reference: str, actor: Principal) -> None:
        """Nothing happens when they are not in it. An owner's room goes to its oldest member, or is closed.

        Raises ``RoomNotFound``.
        """
        room, standing = await lock_visible(self._unit, reference, actor)
        if standing.role is not None:
            await take_out(room, actor.user_id, standing.role, self._unit, self._news)

    async def remove(self, reference: str, user_id: UUID, actor: Principal) -> None:
        """Oneself, or by the owner anybody. Raises ``RoomNotFound``, ``NotYourRoom`` or ``MemberNotFound``."""
        room, standing = await lock_visible(self._unit, reference, actor)
        if user_id != actor.user_id:
            require_rule(standing, actor)
        theirs = await self._members.standing(room.id, user_id)
        if theirs.role is None:
            raise MemberNotFound
        if standing.role is None:  # what staff does
            details = {"room_id": str(room.id)}
            await audit.record(self._unit, "room.member_removed", self._origin, subject_id=user_id, **details)
        await take_out(room, user_id, theirs.role, self._unit, self._news)

    async def invite(self, reference: str, data: InvitationCreate, actor: Principal) -> tuple[UUID, InvitationRead]:
        """With the room's id.

        Raises ``RoomNotFound``, ``NotYourRoom``, ``RoomClosed``, ``NobodyToInvite``, ``AlreadyMember``,
        ``AlreadyInvited`` or ``TooManyInvitations``.
        """
        is_there = await self._rooms.hold_person(data.user_id)
        room, standing = await lock_visible(self._unit, reference, actor)
        require_rule(standing, actor)
        if room.closed_at is not None:
            raise RoomClosed
        if not is_there:
            raise NobodyToInvite
        theirs = await self._members.standing(room.id, data.user_id)
        if theirs.role is not None:
            raise AlreadyMember
        if theirs.is_invited:
            raise AlreadyInvited
        if await self._invitations.count(room.id) >= MAX_INVITATIONS:
            raise TooManyInvitations
        made_at = await self._invitations.add(room.id, data.user_id, actor.user_id)
        person = PersonRead(id=data.user_id, name=await self._members.name_of(data.user_id))
        await self._news.tell_invited(room, data.user_id, actor.user_id)
        return room.id, InvitationRead(user=person, invited_by=actor.user_id, created_at=made_at)

    async def withdraw(self, reference: str, user_id: UUID, actor: Principal) -> None:
        """By the owner, or by whoever is invited. Raises ``RoomNotFound``, ``NotYourRoom``, ``InvitationNotFound``."""
        room, standing = await lock_visible(self._unit, reference, actor)
        if user_id != actor.user_id:
            require_rule(standing, actor)
        if not await self._invitations.remove(room.id, user_id):
            raise InvitationNotFound


async def take_out(room: Room, user_id: UUID, role: str, unit: UnitOfWork, news: RoomNews) -> None:
    """Ends a membership of a room that is locked, and tells of it."""
    await MemberRepository(unit.session).remove(room.id, user_id)
    await news.tell(room, LEFT, user_id)
    if role == OWNER:
        await hand_on(room, unit, news)
    await news.access_changed(room, user_id)


async def take_out_of_all(user_id: UUID, unit: UnitOfWork) -> None:
    """Before an account goes, and its sessions with it. What somebody has said stays, without them."""
    members, news = MemberRepository(unit.session), LateNews(unit)
    for room in await RoomRepository(session=unit.session).lock_all_of(user_id):
        standing = await members.standing(room.id, user_id)
        if standing.role is not None:
            await take_out(room, user_id, standing.role, unit, news)
    await news.send()
