from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, patch, post
from litestar.params import FromPath, JSONBody

from app.domain.realtime.controllers.parameters import (
    Closed,
    Invited,
    MaxId,
    MessageSort,
    Mine,
    MinId,
    Name,
    RoomSort,
    Text,
    VisibilityFilter,
)
from app.domain.realtime.dtos import MessagePage, RoomCreate, RoomPage, RoomRead, RoomUpdate
from app.domain.realtime.errors import (
    NotAMember,
    NotInvited,
    NotYourRoom,
    RoomClosed,
    RoomFull,
    RoomNameTaken,
    RoomNotFound,
    TooManyRooms,
)
from app.domain.realtime.services.members import MemberService
from app.domain.realtime.services.queries import RoomQueries
from app.domain.realtime.services.rooms import RoomService
from app.lib.db.versions import IfMatch
from app.lib.errors import PreconditionFailed
from app.lib.http.injection import Injected
from app.lib.http.locations import created, linked
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import may_raise
from app.lib.pagination.parameters import PageRequest
from app.lib.security.policies import authenticated
from app.lib.security.principal import Principal
from app.lib.wire.dto import StructDTO


class RoomController(Controller):
    path = "/rooms"
    tags = ("Rooms",)

    @get(
        guards=[authenticated],
        return_dto=StructDTO[RoomPage],
        operation_id="listRooms",
        summary="List rooms",
        description="Public rooms, your own, and those that you are invited to; with `rooms:read` all.",
    )
    async def list_rooms(
        self,
        request: Request[Any, Any, Any],
        room_queries: Injected[RoomQueries],
        principal: Injected[Principal],
        paging: Injected[PageRequest],
        mine: Mine = None,
        invited: Invited = None,
        name: Name = None,
        q: Text = None,
        visibility: VisibilityFilter = None,
        closed: Closed = None,
        sort: RoomSort = None,
    ) -> Response[RoomPage]:
        filters = {"name": name, "q": q, "visibility": visibility, "closed": closed}
        page = await room_queries.list(paging, sort, filters, principal, mine=mine, invited=invited)
        return linked(request, page)

    @post(
        guards=[authenticated],
        dto=StructDTO[RoomCreate],
        return_dto=StructDTO[RoomRead],
        operation_id="createRoom",
        summary="Create a room",
        description="You own it, and are its first member.",
        opt=IDEMPOTENT | may_raise(RoomNameTaken, TooManyRooms),
    )
    async def create(
        self, data: JSONBody[RoomCreate], rooms: Injected[RoomService], principal: Injected[Principal]
    ) -> Response[RoomRead]:
        room = await rooms.create(data, principal)
        return created(room, f"/api/v1/rooms/{room.id}")

    @get(
        "/{room_id:uuid}",
        guards=[authenticated],
        return_dto=StructDTO[RoomRead],
        operation_id="getRoom",
        summary="Get a room",
        description="Private rooms for their members and invited users, and with `rooms:read`.",
        opt=may_raise(RoomNotFound),
    )
    async def get_room(
        self, room_id: FromPath[UUID], room_queries: Injected[RoomQueries], principal: Injected[Principal]
    ) -> RoomRead:
        return await room_queries.get(room_id, principal)

    @patch(
        "/{room_id:uuid}",
        guards=[authenticated],
        dto=StructDTO[RoomUpdate],
        return_dto=StructDTO[RoomRead],
        operation_id="updateRoom",
        summary="Update a room",
        description="Its name, title or visibility. Your own, or with `rooms:write` any. Members stay members.",
        opt=may_raise(RoomNotFound, NotYourRoom, RoomClosed, RoomNameTaken, PreconditionFailed),
    )
    async def update(
        self,
        room_id: FromPath[UUID],
        data: JSONBody[RoomUpdate],
        rooms: Injected[RoomService],
        principal: Injected[Principal],
        if_match: Injected[IfMatch],
    ) -> RoomRead:
        return await rooms.update(room_id, data, if_match, principal)

    @post(
        "/{room_id:uuid}/close",
        guards=[authenticated],
        return_dto=StructDTO[RoomRead],
        status_code=200,
        operation_id="closeRoom",
        summary="Close a room for good",
        description="Your own, or with `rooms:write` any. Its messages can still be read.",
        opt=may_raise(RoomNotFound, NotYourRoom, PreconditionFailed),
    )
    async def close(
        self,
        room_id: FromPath[UUID],
        rooms: Injected[RoomService],
        principal: Injected[Principal],
        if_match: Injected[IfMatch],
    ) -> RoomRead:
        return await rooms.close(room_id, if_match, principal)

    @post(
        "/{room_id:uuid}/join",
        guards=[authenticated],
        return_dto=StructDTO[RoomRead],
        status_code=200,
        operation_id="joinRoom",
        summary="Join a room",
        description="A public room, or one that you are invited to.",
        opt=may_raise(RoomNotFound, NotInvited, RoomClosed, RoomFull),
    )
    async def join(
        self, room_id: FromPath[UUID], room_members: Injected[MemberService], principal: Injected[Principal]
    ) -> RoomRead:
        return await room_members.join(room_id, principal)

    @post(
        "/{room_id:uuid}/leave",
        guards=[authenticated],
        status_code=204,
        operation_id="leaveRoom",
        summary="Leave a room",
        description="A room that you own goes to its oldest member. Without members it is closed.",
        opt=may_raise(RoomNotFound),
    )
    async def leave(
        self, room_id: FromPath[UUID], room_members: Injected[MemberService], principal: Injected[Principal]
    ) -> None:
        await room_members.leave(room_id, principal)

    @get(
        "/{room_id:uuid}/messages",
        guards=[authenticated],
        return_dto=StructDTO[MessagePage],
        operation_id="listRoomMessages",
        summary="List the messages of a room",
        description="All events of its channel, newest first. For members, and with `rooms:read`.",
        opt=may_raise(RoomNotFound, NotAMember),
    )
    async def list_messages(
        self,
        room_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        room_queries: Injected[RoomQueries],
        principal: Injected[Principal],
        paging: Injected[PageRequest],
        min_id: MinId = None,
        max_id: MaxId = None,
        sort: MessageSort = None,
    ) -> Response[MessagePage]:
        filters = {"min_id": min_id, "max_id": max_id}
        return linked(request, await room_queries.list_messages(room_id, paging, sort, filters, principal))
