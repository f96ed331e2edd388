"""Create, change, close, reopen and delete rooms, join and leave them, and invite to them."""

from typing import Any
from uuid import UUID

import msgspec

from app.domain.accounts.errors import AccountGone
from app.domain.accounts.repositories.people import people_by_id
from app.domain.accounts.settings import AccountSettings
from app.domain.realtime import errors, repositories
from app.domain.realtime.dtos import (
    PUBLIC,
    InvitationCreate,
    InvitationRead,
    RoomCreate,
    RoomRead,
    RoomUpdate,
)
from app.domain.realtime.events import RoomDeleted
from app.domain.realtime.models import Room
from app.domain.realtime.names import MAX_CREATED, MAX_INVITATIONS, MAX_MEMBERS, MAX_OWNED, room_channel, user_channel
from app.domain.realtime.repositories import RoomRepository
from app.domain.realtime.rows import Standing
from app.domain.realtime.services.queries import can_see_all, require_can_manage
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.repositories import ANY_VERSION
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import Conflict
from app.lib.events import Events
from app.lib.realtime.channels import NewEvent
from app.lib.realtime.log import ChannelWriter
from app.lib.security.principal import Principal
from app.lib.text import casefold_key
from app.lib.wire.dto import project, provided

_ROOMS_AT_A_TIME = 100
ROOM_UPDATED = "room.updated"
ROOM_CLOSED = "room.closed"
ROOM_REOPENED = "room.reopened"
ROOM_DELETED = "room.deleted"
ROOM_JOINED = "room.joined"
ROOM_LEFT = "room.left"
ROOM_INVITED = "room.invited"


class RoomService:
    """In one unit of work. Accounts are locked before rooms, rooms before their members, channels last."""

    def __init__(
        self, unit: UnitOfWork, writer: ChannelWriter, events: Events, origin: Origin, accounts: AccountSettings
    ) -> None:
        self.unit = unit
        self._accounts = accounts
        self._events = events
        self._writer = writer
        self._origin = origin
        self._rooms = RoomRepository(unit)

    async def create(self, data: RoomCreate, actor: Principal) -> RoomRead:
        """A room of the actor.

        Raises ``AccountGone``, ``RoomNameTaken``, ``TooManyRooms`` or ``TooManyRoomsInADay``.
        """
        if not await self._rooms.lock_person(actor.user_id, alone=True):
            raise AccountGone
        if (await self.unit.first(repositories.COUNT_OWNED, of_user=actor.user_id) or 0) >= MAX_OWNED:
            raise errors.TooManyRooms
        if (await self.unit.first(repositories.COUNT_CREATED, of_user=actor.user_id) or 0) >= MAX_CREATED:
            raise errors.TooManyRoomsInADay
        room = await self._rooms.create(
            Room(
                id=new_id(),
                name=data.name,
                title=data.title,
                search_text=_search_text(data.name, data.title),
                visibility=data.visibility,
                owner_id=actor.user_id,
                creator_id=actor.user_id,
            )
        )
        await self._create_member(room, actor)
        return project(RoomRead, room)

    async def update(self, room_id: UUID, data: RoomUpdate, if_match: IfMatch, actor: Principal) -> RoomRead:
        """Raises ``RoomNotFound``, ``NotYourRoom``, ``PreconditionFailed``, ``RoomClosed`` or ``RoomNameTaken``."""
        room = await self._lock_managed(room_id, actor, if_match)
        if room.closed_at is not None:
            raise errors.RoomClosed
        values = provided(data)
        values["search_text"] = _search_text(values.get("name", room.name), values.get("title", room.title))
        if await self._rooms.update(room, values):
            await self.record("room.updated", room, actor, fields=sorted(provided(data)))
            await self._writer.publish_in(self.unit, _event(room, ROOM_UPDATED))
        return project(RoomRead, room)

    async def close(self, room_id: UUID, if_match: IfMatch, actor: Principal) -> RoomRead:
        """No one joins or publishes until it is reopened. Nothing happens when it is closed already.

        Raises ``RoomNotFound``, ``NotYourRoom`` or ``PreconditionFailed``.
        """
        room = await self._lock_managed(room_id, actor, if_match)
        if room.closed_at is None:
            await self.record("room.closed", room, actor)
            await self._rooms.update(room, {"closed_at": utc_now()})
            await self._writer.publish_in(self.unit, _event(room, ROOM_CLOSED))
        return project(RoomRead, room)

    async def reopen(self, room_id: UUID, if_match: IfMatch, actor: Principal) -> RoomRead:
        """Nothing happens when it is open. Raises ``RoomNotFound``, ``NotYourRoom``, ``PreconditionFailed``,
        ``RoomEmpty``, ``TooManyRooms``, ``RoomNameTaken``, or ``Conflict`` when its owner has just left.
        """
        owner_id = await self.unit.first(repositories.OWNER_ID, in_room=room_id)
        if owner_id is not None:
            await self._rooms.lock_person(owner_id, alone=True)
        room = await self._lock_managed(room_id, actor, if_match)
        if room.closed_at is not None:
            if room.owner_id is None:
                raise errors.RoomEmpty
            if room.owner_id != owner_id:
                raise Conflict
            if (await self.unit.first(repositories.COUNT_OWNED, of_user=room.owner_id) or 0) >= MAX_OWNED:
                raise errors.TooManyRooms
            await self.record("room.reopened", room, actor)
            await self._rooms.update(room, {"closed_at": None})
            await self._writer.publish_in(self.unit, _event(room, ROOM_REOPENED))
        return project(RoomRead, room)

    async def delete(self, room_id: UUID, if_match: IfMatch, actor: Principal) -> None:
        """With its members, invitations and messages. Its event is the last one of its channel.

        Raises ``RoomNotFound``, ``NotYourRoom`` or ``PreconditionFailed``.
        """
        room = await self._lock_managed(room_id, actor, if_match)
        await self.record("room.deleted", room, actor)
        event = _event(room, ROOM_DELETED)
        await self._events.publish(self.unit, RoomDeleted(aggregate_id=room.id, aggregate_version=room.version + 1))
        await self._rooms.delete(room)
        await self._writer.publish_in(self.unit, event)

    async def join(self, room_id: UUID, actor: Principal) -> RoomRead:
        """Nothing happens when the actor is a member already.

        Raises ``AccountGone``, ``RoomNotFound``, ``RoomClosed``, ``NotInvited`` or ``RoomFull``.
        """
        if not await self._rooms.lock_person(actor.user_id):
            raise AccountGone
        room, standing = await self.lock(room_id, actor)
        if not standing.is_member:
            if room.closed_at is not None:
                raise errors.RoomClosed
            if room.visibility != PUBLIC and not standing.is_invited:
                raise errors.NotInvited
            if (await self.unit.first(repositories.COUNT_MEMBERS, in_room=room.id) or 0) >= MAX_MEMBERS:
                raise errors.RoomFull
            await self._create_member(room, actor)
            await self.unit.execute(repositories.DELETE_INVITATION, in_room=room.id, of_user=actor.user_id)
            await self._writer.publish_in(self.unit, _event(room, ROOM_JOINED, user_id=actor.user_id))
        return project(RoomRead, room)

    async def leave(self, room_id: UUID, actor: Principal) -> RoomRead:
        """Nothing happens when the actor is not a member. Raises ``RoomNotFound``."""
        room, standing = await self.lock(room_id, actor)
        if standing.is_member:
            await self._writer.publish_in(self.unit, *await _remove(room, actor.user_id, self._rooms))
        return project(RoomRead, room)

    async def delete_member(self, room_id: UUID, user_id: UUID, actor: Principal) -> None:
        """Removes the actor, or by the owner any member. Raises ``RoomNotFound``, ``NotYourRoom`` or
        ``MemberNotFound``.
        """
        room, _ = await self.lock(room_id, actor)
        if user_id != actor.user_id:
            require_can_manage(room.owner_id, actor)
        if not (await self._rooms.standing(room.id, user_id)).is_member:
            raise errors.MemberNotFound
        if actor.user_id not in {user_id, room.owner_id}:  # what staff does
            details = {"room_id": str(room.id)}
            await audit.record(self.unit, "room.member_removed", self._origin, subject_id=user_id, **details)
        await self._writer.publish_in(self.unit, *await _remove(room, user_id, self._rooms))

    async def create_invitation(self, room_id: UUID, data: InvitationCreate, actor: Principal) -> InvitationRead:
        """Raises ``RoomNotFound``, ``NotYourRoom``, ``RoomClosed``, ``InviteeNotFound``, ``AlreadyMember``,
        ``AlreadyInvited`` or ``TooManyInvitations``.
        """
        member, user_id = "user_id", data.user_id or None
        if data.username:
            member = "username"
            # With quiet registrations, who is found must not show which address was free.
            named = {"username_key": casefold_key(data.username), "verified": self._accounts.require_verified_email}
            user_id = await self.unit.first(repositories.USER_ID, **named)
        exists = user_id is not None and await self._rooms.lock_person(user_id)
        room = await self._lock_managed(room_id, actor)
        if room.closed_at is not None:
            raise errors.RoomClosed
        if user_id is None or not exists:
            raise errors.InviteeNotFound(member)
        invitee = await self._rooms.standing(room.id, user_id)
        if invitee.is_member:
            raise errors.AlreadyMember
        if invitee.is_invited:
            raise errors.AlreadyInvited
        if (await self.unit.first(repositories.COUNT_INVITATIONS, in_room=room.id) or 0) >= MAX_INVITATIONS:
            raise errors.TooManyInvitations
        now = utc_now()
        row = {"room_id": room.id, "user_id": user_id, "invited_by": actor.user_id, "created_at": now}
        await self.unit.execute(repositories.CREATE_INVITATION, **row)
        # On their own channel, because they do not listen to the room's yet.
        event = _event(room, ROOM_INVITED, user_channel(user_id), user_id=user_id, invited_by_id=actor.user_id)
        await self._writer.publish_in(self.unit, event)
        people = await people_by_id(self.unit, [user_id, actor.user_id])
        return InvitationRead(user=people[user_id], invited_by=people.get(actor.user_id), created_at=now)

    async def delete_invitation(self, room_id: UUID, user_id: UUID, actor: Principal) -> None:
        """Withdrawn by the owner, or declined by the invited person.

        Raises ``RoomNotFound``, ``NotYourRoom`` or ``InvitationNotFound``.
        """
        room, _ = await self.lock(room_id, actor)
        if user_id != actor.user_id:
            require_can_manage(room.owner_id, actor)
        if not await self.unit.execute(repositories.DELETE_INVITATION, in_room=room.id, of_user=user_id):
            raise errors.InvitationNotFound

    async def is_member(self, room_id: UUID, user_id: UUID) -> bool:
        return (await self._rooms.standing(room_id, user_id)).is_member

    async def lock(self, room_id: UUID, actor: Principal) -> tuple[Room, Standing]:
        """A room, locked, and what the actor is to it.

        Raises ``RoomNotFound`` for one that is not there, and ``RoomNotVisible`` for one that the actor must not know
        of.
        """
        room = await self._rooms.get_for_update(room_id)
        standing = await self._rooms.standing(room.id, actor.user_id)
        is_theirs = standing.is_member or standing.is_invited
        if not (room.visibility == PUBLIC or is_theirs or can_see_all(actor)):
            raise errors.RoomNotVisible
        return room, standing

    async def _lock_managed(self, room_id: UUID, actor: Principal, if_match: IfMatch = ANY_VERSION) -> Room:
        room, _ = await self.lock(room_id, actor)
        require_can_manage(room.owner_id, actor)
        if_match.check(room.version)
        return room

    async def _create_member(self, room: Room, actor: Principal) -> None:
        await self.unit.execute(repositories.CREATE_MEMBER, room_id=room.id, user_id=actor.user_id, joined_at=utc_now())

    async def record(self, kind: str, room: Room, actor: Principal, **details: object) -> None:
        """Records what staff does to the rooms of others, and nothing of what owners do to their own."""
        if room.owner_id != actor.user_id:
            await audit.record(self.unit, kind, self._origin, subject_id=room.id, **details)


async def remove_from_rooms(user_id: UUID, unit: UnitOfWork, writer: ChannelWriter) -> bool:
    """Before an account is deleted, and its sessions with it. What the user has said stays, without a sender.

    Returns whether these were all rooms of the user.
    """
    events: list[NewEvent] = []
    rooms = RoomRepository(unit)
    batch = await rooms.lock_some_of(user_id, _ROOMS_AT_A_TIME)
    for room in batch:
        events += await _remove(room, user_id, rooms)
    await writer.publish_in(unit, *events)
    return len(batch) < _ROOMS_AT_A_TIME


async def _remove(room: Room, user_id: UUID, rooms: RoomRepository) -> list[NewEvent]:
    """Ends a membership of a locked room. A room without an owner goes to its oldest member, or is closed.

    Returns the events that must be published.
    """
    await rooms.unit.execute(repositories.DELETE_MEMBER, in_room=room.id, of_user=user_id)
    events = [_event(room, ROOM_LEFT, user_id=user_id)]
    if room.owner_id == user_id:
        heir_id = await rooms.unit.first(repositories.OLDEST_MEMBER, in_room=room.id)
        is_closing = heir_id is None and room.closed_at is None
        await rooms.update(room, {"owner_id": heir_id} | ({"closed_at": utc_now()} if is_closing else {}))
        events.append(_event(room, ROOM_CLOSED if is_closing else ROOM_UPDATED))
    return events


def _event(room: Room, event: str, channel: str | None = None, **people: UUID) -> NewEvent:
    """What the service publishes about a room, on its channel unless another is named."""
    data: dict[str, Any] = {"room_id": room.id, "name": room.name, "version": room.version, **people}
    return NewEvent(channel=channel or room_channel(room.id), event=event, data=msgspec.json.encode(data))


def _search_text(name: str, title: str | None) -> str:
    return "\n".join((casefold_key(name), casefold_key(title or "")))
