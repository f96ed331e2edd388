from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Select, Uuid, bindparam, case, exists, or_, select

from app.domain.accounts.models import Profile, User
from app.domain.realtime.dtos import OWNER, PUBLIC, RoomPage, RoomRead
from app.domain.realtime.models import Room, RoomInvitation, RoomMember
from app.domain.realtime.names import room_channel
from app.domain.realtime.rows import (
    InvitationRow,
    InvitationRowPage,
    MemberRow,
    MemberRowPage,
    MessageRow,
    MessageRowPage,
    RoomRow,
)
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.filters import at_least, at_most, contains, custom, equals
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey
from app.lib.realtime.tables import RealtimeEvent

_owner_id = (
    select(RoomMember.user_id)
    .where(RoomMember.room_id == Room.id, RoomMember.role == OWNER)
    .correlate(Room)
    .scalar_subquery()
)
_viewer_id = bindparam("viewer_id", type_=Uuid())
_role = (
    select(RoomMember.role)
    .where(RoomMember.room_id == Room.id, RoomMember.user_id == _viewer_id)
    .correlate(Room)
    .scalar_subquery()
)


def _is_member(user_id: Any) -> Any:
    return exists().where(RoomMember.room_id == Room.id, RoomMember.user_id == user_id)


def _is_invitee(user_id: Any) -> Any:
    return exists().where(RoomInvitation.room_id == Room.id, RoomInvitation.user_id == user_id)


# With what the user viewer_id is to them.
_rooms = select(*columns_of(RoomRow, Room, owner_id=_owner_id, role=_role, is_invited=_is_invitee(_viewer_id)))
room_by_id = prepare(_rooms.where(Room.id == bindparam("room_id")), RoomRow)

ROOM_SORTS = (SortKey("created_at", Room.created_at, datetime), SortKey("name", Room.name, str))
MESSAGE_SORTS = (SortKey("id", RealtimeEvent.id, int),)


def _with_person(row_type: Any, model: Any, key: Any) -> Select[Any]:
    """Rows about a user, with what their name is made of."""
    person = {"user_id": User.id, "is_active": User.is_active, "name": User.name}
    names = {"first_name": Profile.first_name, "last_name": Profile.last_name}
    rows = select(*columns_of(row_type, model, **person, **names))
    return rows.select_from(model).outerjoin(User, User.id == key).outerjoin(Profile, Profile.user_id == User.id)


ROOM_LIST = ListQuery(
    "rooms",
    RoomPage,
    select(*columns_of(RoomRead, Room, owner_id=_owner_id)),
    identity=Room.id,
    sorts=ROOM_SORTS,
    default_sort="-created_at",
    filters=(
        custom("seen_by", Uuid(), lambda ids: or_(Room.visibility == PUBLIC, _is_member(ids[0]), _is_invitee(ids[0]))),
        custom("member_id", Uuid(), lambda ids: _is_member(ids[0])),
        custom("invited_id", Uuid(), lambda ids: _is_invitee(ids[0])),
        equals("name", Room.name),
        equals("visibility", Room.visibility),
        custom("closed", Boolean(), lambda wanted: case((Room.closed_at.is_not(None), True), else_=False) == wanted[0]),
        contains("q", Room.search_text),
    ),
)

MEMBER_LIST = ListQuery(
    "room_members",
    MemberRowPage,
    _with_person(MemberRow, RoomMember, RoomMember.user_id),
    identity=RoomMember.user_id,
    sorts=(SortKey("joined_at", RoomMember.joined_at, datetime),),
    default_sort="joined_at",
    filters=(equals("room_id", RoomMember.room_id),),
)

INVITATION_LIST = ListQuery(
    "room_invitations",
    InvitationRowPage,
    _with_person(InvitationRow, RoomInvitation, RoomInvitation.user_id),
    identity=RoomInvitation.user_id,
    sorts=(SortKey("created_at", RoomInvitation.created_at, datetime),),
    default_sort="-created_at",
    filters=(equals("room_id", RoomInvitation.room_id),),
)


MESSAGE_LIST = ListQuery(
    "room_messages",
    MessageRowPage,
    _with_person(MessageRow, RealtimeEvent, RealtimeEvent.sender_id),
    identity=RealtimeEvent.id,
    sorts=MESSAGE_SORTS,
    default_sort="-id",
    filters=(
        equals("channel", RealtimeEvent.channel),
        at_least("min_id", RealtimeEvent.id),
        at_most("max_id", RealtimeEvent.id),
    ),
)


class RoomReads:
    def __init__(self, reader: Reader, cursors: CursorCodec) -> None:
        self._reader = reader
        self._cursors = cursors

    async def get(self, room_id: UUID, viewer_id: UUID) -> RoomRow | None:
        """Whether or not the viewer may see it."""
        return await self._reader.first(room_by_id, room_id=room_id, viewer_id=viewer_id)

    async def list(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> RoomPage:
        return await paginate(self._reader, ROOM_LIST, paging, self._cursors, sort=sort, filters=filters)

    async def list_members(self, room_id: UUID, paging: PageRequest) -> MemberRowPage:
        return await paginate(self._reader, MEMBER_LIST, paging, self._cursors, filters={"room_id": room_id})

    async def list_invitations(self, room_id: UUID, paging: PageRequest) -> InvitationRowPage:
        return await paginate(self._reader, INVITATION_LIST, paging, self._cursors, filters={"room_id": room_id})

    async def list_messages(
        self, room_id: UUID, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]
    ) -> MessageRowPage:
        """What was published on the channel of a room."""
        only = {**filters, "channel": [room_channel(room_id)]}
        return await paginate(self._reader, MESSAGE_LIST, paging, self._cursors, sort=sort, filters=only)
