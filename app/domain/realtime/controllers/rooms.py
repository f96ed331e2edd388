"""Rooms, their members, invitations and messages."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from app.domain.realtime.dtos import (
    InvitationCreate,
    InvitationPage,
    InvitationRead,
    MemberPage,
    RoomCreate,
    RoomPage,
    RoomRead,
    RoomUpdate,
    Visibility,
)
from app.domain.realtime.errors import RoomClosed
from app.domain.realtime.names import MAX_ROOM_NAME, ROOM_NAME
from app.domain.realtime.services.queries import ROOM_SORT, RoomQueries
from app.domain.realtime.services.rooms import RoomService
from app.lib.http.injection import Caller, Injected, Paging, Precondition, Times
from app.lib.http.locations import created
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import may_raise
from app.lib.openapi.examples import shows
from app.lib.security.policies import authenticated
from app.lib.wire.dto import StructDTO

Id = FromPath[UUID]
Rooms = Injected[RoomService]
Queries = Injected[RoomQueries]
RoomSort = Annotated[str | None, ROOM_SORT]
Mine = Annotated[bool | None, QueryParameter(description="Only rooms that you are in.")]
Invited = Annotated[bool | None, QueryParameter(description="Only rooms that you are invited to.")]
Closed = Annotated[bool | None, QueryParameter(description="Only closed rooms, or only open ones.")]
VisibilityFilter = Annotated[
    list[Visibility] | None, QueryParameter(name="visibility", description="Repeat for any of several.", max_items=2)
]
Name = Annotated[
    str | None, QueryParameter(max_length=MAX_ROOM_NAME, pattern=ROOM_NAME, description="Only rooms of this name.")
]
Text = Annotated[str | None, QueryParameter(min_length=1, max_length=100, description="Part of the name or title.")]


class RoomController(Controller):
    path = "/rooms"
    tags = ("Rooms",)
    guards = (authenticated,)
    dto = None
    return_dto = StructDTO[RoomRead]

    @get(
        return_dto=StructDTO[RoomPage],
        summary="List rooms",
        description="Public rooms, your own, and those that you are invited to; with `rooms:read` all.",
    )
    async def list_rooms(
        self,
        queries: Queries,
        principal: Caller,
        paging: Paging,
        times: Times,
        mine: Mine = None,
        invited: Invited = None,
        name: Name = None,
        q: Text = None,
        visibility: VisibilityFilter = None,
        closed: Closed = None,
        sort: RoomSort = None,
    ) -> RoomPage:
        filters = {"name": name, "q": q, "visibility": visibility, "closed": closed}
        return await queries.list(paging, sort, filters | times, principal, mine=mine, invited=invited)

    @post(
        dto=StructDTO[RoomCreate],
        summary="Create a room",
        description="You own it, and are its first member.",
        opt=IDEMPOTENT,
    )
    async def create_room(self, data: JSONBody[RoomCreate], rooms: Rooms, principal: Caller) -> Response[RoomRead]:
        room = await rooms.create(data, principal)
        return created(room, f"/api/v1/rooms/{room.id}")

    @get(
        "/{room_id:uuid}",
        summary="Get a room",
        description="Private rooms for their members and invited users, and with `rooms:read`.",
    )
    async def get_room(self, room_id: Id, queries: Queries, principal: Caller) -> RoomRead:
        return await queries.get(room_id, principal)

    @patch(
        "/{room_id:uuid}",
        dto=StructDTO[RoomUpdate],
        summary="Update a room",
        description="Its name, title or visibility. Your own, or with `rooms:write` any. Members stay members.",
        opt=may_raise(RoomClosed),
    )
    async def update_room(
        self, room_id: Id, data: JSONBody[RoomUpdate], rooms: Rooms, principal: Caller, if_match: Precondition
    ) -> RoomRead:
        return await rooms.update(room_id, data, if_match, principal)

    @post(
        "/{room_id:uuid}/close",
        status_code=200,
        summary="Close a room",
        description="Your own, or with `rooms:write` any. Its messages can still be read.",
        opt=shows(200, closed_at="2026-01-31T12:05:00Z"),
    )
    async def close_room(self, room_id: Id, rooms: Rooms, principal: Caller, if_match: Precondition) -> RoomRead:
        return await rooms.close(room_id, if_match, principal)

    @post(
        "/{room_id:uuid}/reopen",
        status_code=200,
        summary="Reopen a closed room",
        description="Your own, or with `rooms:write` any that has members. A public one needs its name to be free.",
        opt=may_raise(RoomClosed),
    )
    async def reopen_room(self, room_id: Id, rooms: Rooms, principal: Caller, if_match: Precondition) -> RoomRead:
        return await rooms.reopen(room_id, if_match, principal)

    @delete(
        "/{room_id:uuid}",
        summary="Delete a room",
        description="Your own, or with `rooms:write` any, with all its messages. Its channel ends for all.",
    )
    async def delete_room(self, room_id: Id, rooms: Rooms, principal: Caller, if_match: Precondition) -> None:
        await rooms.delete(room_id, if_match, principal)

    @post(
        "/{room_id:uuid}/join",
        status_code=200,
        summary="Join a room",
        description="A public room, or one that you are invited to.",
        opt=may_raise(RoomClosed),
    )
    async def join_room(self, room_id: Id, rooms: Rooms, principal: Caller) -> RoomRead:
        return await rooms.join(room_id, principal)

    @post(
        "/{room_id:uuid}/leave",
        status_code=200,
        summary="Leave a room",
        description="A room that you own goes to its oldest member. Without members it is closed.",
    )
    async def leave_room(self, room_id: Id, rooms: Rooms, principal: Caller) -> RoomRead:
        return await rooms.leave(room_id, principal)

    @get(
        "/{room_id:uuid}/members",
        return_dto=StructDTO[MemberPage],
        summary="List the members of a room",
        description="For members, and with `rooms:read`. Those who joined first come first.",
    )
    async def list_room_members(self, room_id: Id, queries: Queries, principal: Caller, paging: Paging) -> MemberPage:
        return await queries.list_members(room_id, paging, principal)

    @delete(
        "/{room_id:uuid}/members/{user_id:uuid}",
        summary="Remove a member from a room",
        description="From your room, or with `rooms:write` from any. They can join a public room again.",
    )
    async def delete_room_member(self, room_id: Id, user_id: Id, rooms: Rooms, principal: Caller) -> None:
        await rooms.delete_member(room_id, user_id, principal)

    @get(
        "/{room_id:uuid}/invitations",
        return_dto=StructDTO[InvitationPage],
        summary="List the invitations to a room",
        description="For its owner, and with `rooms:read`. Newest first.",
    )
    async def list_room_invitations(
        self, room_id: Id, queries: Queries, principal: Caller, paging: Paging
    ) -> InvitationPage:
        return await queries.list_invitations(room_id, paging, principal)

    @post(
        "/{room_id:uuid}/invitations",
        dto=StructDTO[InvitationCreate],
        return_dto=StructDTO[InvitationRead],
        summary="Invite a user to a room",
        description="To your room, or with `rooms:write` to any. They get an event on their own channel.",
        opt=IDEMPOTENT,
    )
    async def create_room_invitation(
        self, room_id: Id, data: JSONBody[InvitationCreate], rooms: Rooms, principal: Caller
    ) -> Response[InvitationRead]:
        invitation = await rooms.create_invitation(room_id, data, principal)
        return created(invitation, f"/api/v1/rooms/{room_id}/invitations")

    @delete(
        "/{room_id:uuid}/invitations/{user_id:uuid}",
        summary="Withdraw or decline an invitation",
        description="To your room, with `rooms:write` to any, or your own.",
    )
    async def delete_room_invitation(self, room_id: Id, user_id: Id, rooms: Rooms, principal: Caller) -> None:
        await rooms.delete_invitation(room_id, user_id, principal)
