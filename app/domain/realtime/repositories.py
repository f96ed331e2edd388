"""Every statement about rooms and tickets."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, Uuid, bindparam, case, delete, exists, func, insert, not_, or_, select, update

from app.domain.accounts.models import User
from app.domain.accounts.repositories.people import person_of
from app.domain.realtime.dtos import (
    MEMBER,
    OWNER,
    PUBLIC,
    InvitationPage,
    InvitationRead,
    MemberPage,
    MemberRead,
    RoomPage,
    RoomRead,
)
from app.domain.realtime.errors import RoomNameTaken, RoomNotFound
from app.domain.realtime.models import RealtimeTicket, Room, RoomInvitation, RoomMember
from app.domain.realtime.names import MESSAGE_DELETED
from app.domain.realtime.rows import RoomAccess, Standing
from app.lib.db.base import table_of
from app.lib.db.instants import database_now, database_now_plus
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.repositories import EntityRepository
from app.lib.db.statements import delete_batch, in_batch
from app.lib.pagination.envelope import Page
from app.lib.pagination.filters import at_least, at_most, contains, custom, equals, times
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey
from app.lib.realtime.log import StoredEvent, stored_events
from app.lib.realtime.tables import RealtimeEvent

_DAY_SECONDS = 86_400.0
_LAST_SECONDS = 60.0
"""For which the events of a deleted room stay: other workers have still to deliver the last ones."""
TICKET_SECONDS: Final = 30.0
"""By the database's clock: a ticket may be made on one machine and taken on another."""

_users = table_of(User)
_members, _invitations = table_of(RoomMember), table_of(RoomInvitation)
_events, _tickets = table_of(RealtimeEvent), table_of(RealtimeTicket)


def _is_member(user_id: Any) -> Any:
    return exists().where(RoomMember.room_id == Room.id, RoomMember.user_id == user_id)


def _is_invitee(user_id: Any) -> Any:
    return exists().where(RoomInvitation.room_id == Room.id, RoomInvitation.user_id == user_id)


def _is_visible_to(user_id: Any) -> Any:
    return or_(Room.visibility == PUBLIC, _is_member(user_id), _is_invitee(user_id))


_viewer_id = bindparam("viewer_id", type_=Uuid())
_is_visible = (
    Room.id == bindparam("room_id", type_=Uuid()),
    or_(bindparam("sees_all", type_=Boolean()), _is_visible_to(_viewer_id)),
)
_rooms = select(*columns_of(RoomRead, Room))
ROOM = prepare(_rooms.where(*_is_visible), RoomRead)
ROOM_ACCESS = prepare(
    select(*columns_of(RoomAccess, Room, is_member=_is_member(_viewer_id))).where(*_is_visible), RoomAccess
)

ROOM_LIST = ListQuery(
    "rooms",
    RoomPage,
    _rooms,
    identity=Room.id,
    sorts=(
        SortKey("created_at", Room.created_at, datetime),
        SortKey("updated_at", Room.updated_at, datetime),
        SortKey("name", Room.name, str),
    ),
    default_sort="-created_at",
    filters=(
        custom("seen_by", Uuid(), lambda ids: _is_visible_to(ids[0])),
        custom("member_id", Uuid(), lambda ids: _is_member(ids[0])),
        custom("invited_id", Uuid(), lambda ids: _is_invitee(ids[0])),
        equals("name", Room.name),
        equals("visibility", Room.visibility),
        custom("closed", Boolean(), lambda wanted: case((Room.closed_at.is_not(None), True), else_=False) == wanted[0]),
        contains("q", Room.search_text),
        *times(Room),
    ),
)
_role = case((RoomMember.user_id == Room.owner_id, OWNER), else_=MEMBER)
MEMBER_LIST = ListQuery(
    "room_members",
    MemberPage,
    select(*columns_of(MemberRead, RoomMember, user=person_of(RoomMember.user_id), role=_role)).join(
        Room, Room.id == RoomMember.room_id
    ),
    identity=RoomMember.user_id,
    sorts=(SortKey("joined_at", RoomMember.joined_at, datetime),),
    default_sort="joined_at",
    filters=(equals("room_id", RoomMember.room_id),),
)
INVITATION_LIST = ListQuery(
    "room_invitations",
    InvitationPage,
    select(
        *columns_of(
            InvitationRead,
            RoomInvitation,
            user=person_of(RoomInvitation.user_id),
            invited_by=person_of(RoomInvitation.invited_by),
        )
    ),
    identity=RoomInvitation.user_id,
    sorts=(SortKey("created_at", RoomInvitation.created_at, datetime),),
    default_sort="-created_at",
    filters=(equals("room_id", RoomInvitation.room_id),),
)
MESSAGE_LIST = ListQuery(
    "room_messages",
    Page[StoredEvent],
    stored_events(),
    identity=RealtimeEvent.id,
    sorts=(SortKey("id", RealtimeEvent.id, int),),
    default_sort="-id",
    filters=(
        equals("channel", RealtimeEvent.channel),
        at_least("min_id", RealtimeEvent.id),
        at_most("max_id", RealtimeEvent.id),
    ),
)

_room_id, _user_id = bindparam("in_room", type_=Uuid()), bindparam("of_user", type_=Uuid())
_in_room = _members.c.room_id == _room_id
_is_in_room = (_in_room, _members.c.user_id == _user_id)
_is_invited = (_invitations.c.room_id == _room_id, _invitations.c.user_id == _user_id)
_standing = prepare(
    select(exists().where(*_is_in_room).label("is_member"), exists().where(*_is_invited).label("is_invited")), Standing
)
USER_ID = prepare(
    select(_users.c.id).where(
        _users.c.username_key == bindparam("username_key"),
        _users.c.is_active,
        or_(_users.c.is_verified, not_(bindparam("verified", type_=Boolean()))),
    ),
    UUID,
)
OWNER_ID = prepare(select(Room.owner_id).where(Room.id == _room_id), UUID)
COUNT_OWNED = prepare(select(func.count()).where(Room.owner_id == _user_id, Room.closed_at.is_(None)), int)
COUNT_CREATED = prepare(
    select(func.count()).where(Room.creator_id == _user_id, Room.created_at > database_now_plus(-_DAY_SECONDS)), int
)
CREATE_MEMBER = prepare(insert(_members))
DELETE_MEMBER = prepare(delete(_members).where(*_is_in_room))
COUNT_MEMBERS = prepare(select(func.count()).select_from(_members).where(_in_room), int)
OLDEST_MEMBER = prepare(
    select(_members.c.user_id).where(_in_room).order_by(_members.c.joined_at, _members.c.user_id).limit(1), UUID
)
CREATE_INVITATION = prepare(insert(_invitations))
DELETE_INVITATION = prepare(delete(_invitations).where(*_is_invited))
COUNT_INVITATIONS = prepare(
    select(func.count()).select_from(_invitations).where(_invitations.c.room_id == _room_id), int
)
_is_message = (_events.c.channel == bindparam("in_channel"), _events.c.id == bindparam("message_id"))
MESSAGE = prepare(stored_events().where(*_is_message), StoredEvent)
UPDATE_MESSAGE = prepare(
    update(_events)
    .where(*_is_message)
    .values(data=bindparam("new_data"), edited_at=database_now(), version=_events.c.version + 1)
)
DELETE_MESSAGE = prepare(
    update(_events)
    .where(*_is_message)
    .values(event=MESSAGE_DELETED, data="null", target_id=_events.c.id, version=_events.c.version + 1)
)
_soon = database_now_plus(_LAST_SECONDS)
_lasting = or_(_events.c.expires_at.is_(None), _events.c.expires_at > _soon)
EXPIRE_EVENTS = prepare(
    update(_events)
    .where(in_batch(_events, _events.c.channel == bindparam("of_channel"), _lasting))
    .values(expires_at=_soon)
)
FORGET_SENDER = prepare(
    update(_events).where(in_batch(_events, _events.c.sender_id == _user_id)).values(sender_id=None)
)
CREATE_TICKET = prepare(
    insert(_tickets)
    .values(
        digest=bindparam("digest"), session_id=bindparam("session_id"), expires_at=database_now_plus(TICKET_SECONDS)
    )
    .returning(_tickets.c.expires_at),
    datetime,
)
TAKE_TICKET = prepare(
    delete(_tickets)
    .where(_tickets.c.digest == bindparam("digest"), _tickets.c.expires_at > database_now())
    .returning(_tickets.c.session_id),
    UUID,
)
PURGE_TICKETS = prepare(delete_batch(_tickets, _tickets.c.expires_at <= database_now()))


class RoomRepository(EntityRepository[Room]):
    """Rooms with their members and invitations. All changes lock the room first, and accounts before rooms."""

    model = Room
    not_found = RoomNotFound
    taken = {"name": RoomNameTaken}  # noqa: RUF012 - a ClassVar of the base

    async def standing(self, room_id: UUID, user_id: UUID) -> Standing:
        (standing,) = await self.unit.all(_standing, in_room=room_id, of_user=user_id)
        return standing

    async def lock_some_of(self, user_id: UUID, most: int) -> Sequence[Room]:
        """The first rooms of a user, always in the same order, so that no two transactions wait for each other."""
        statement = select(Room).where(_is_member(user_id)).order_by(Room.id).limit(most).with_for_update(of=Room)
        return (await self.unit.session.execute(statement.execution_options(populate_existing=True))).scalars().all()

    async def lock_person(self, user_id: UUID, *, alone: bool = False) -> bool:
        """Keeps an account from being deleted; False where there is none that is active.

        With ``alone`` others who do the same have to wait.
        """
        statement = select(User.id).where(User.id == user_id, User.is_active)
        found = await self.unit.session.execute(statement.with_for_update(read=not alone, key_share=True))
        return found.scalar_one_or_none() is not None
