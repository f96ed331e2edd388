from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.params import FromPath, JSONBody

from app.domain.realtime.dtos import InvitationCreate, InvitationPage, InvitationRead, MemberPage
from app.domain.realtime.errors import (
    AlreadyInvited,
    AlreadyMember,
    InvitationNotFound,
    MemberNotFound,
    NotAMember,
    NotYourRoom,
    RoomClosed,
    RoomNotFound,
    TooManyInvitations,
)
from app.domain.realtime.services.members import MemberService
from app.domain.realtime.services.queries import RoomQueries
from app.lib.http.injection import Injected
from app.lib.http.locations import created, linked
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import may_raise
from app.lib.pagination.parameters import PageRequest
from app.lib.security.policies import authenticated
from app.lib.security.principal import Principal
from app.lib.wire.dto import StructDTO


class MemberController(Controller):
    path = "/rooms/{room_id:uuid}/members"
    tags = ("Rooms",)

    @get(
        guards=[authenticated],
        return_dto=StructDTO[MemberPage],
        operation_id="listRoomMembers",
        summary="List the members of a room",
        description="For members, and with `rooms:read`. Those who joined first come first.",
        opt=may_raise(RoomNotFound, NotAMember),
    )
    async def list_members(
        self,
        room_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        room_queries: Injected[RoomQueries],
        principal: Injected[Principal],
        paging: Injected[PageRequest],
    ) -> Response[MemberPage]:
        return linked(request, await room_queries.list_members(room_id, paging, principal))

    @delete(
        "/{user_id:uuid}",
        guards=[authenticated],
        operation_id="deleteRoomMember",
        summary="Remove a member from a room",
        description="From your room, or with `rooms:write` from any. They can join a public room again.",
        opt=may_raise(RoomNotFound, NotYourRoom, MemberNotFound),
    )
    async def delete_member(
        self,
        room_id: FromPath[UUID],
        user_id: FromPath[UUID],
        room_members: Injected[MemberService],
        principal: Injected[Principal],
    ) -> None:
        await room_members.delete(room_id, user_id, principal)


class InvitationController(Controller):
    path = "/rooms/{room_id:uuid}/invitations"
    tags = ("Rooms",)

    @get(
        guards=[authenticated],
        return_dto=StructDTO[InvitationPage],
        operation_id="listRoomInvitations",
        summary="List the invitations to a room",
        description="For its owner, and with `rooms:read`. Newest first.",
        opt=may_raise(RoomNotFound, NotYourRoom),
    )
    async def list_invitations(
        self,
        room_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        room_queries: Injected[RoomQueries],
        principal: Injected[Principal],
        paging: Injected[PageRequest],
    ) -> Response[InvitationPage]:
        return linked(request, await room_queries.list_invitations(room_id, paging, principal))

    @post(
        guards=[authenticated],
        dto=StructDTO[InvitationCreate],
        return_dto=StructDTO[InvitationRead],
        operation_id="createRoomInvitation",
        summary="Invite a user to a room",
        description="To your room, or with `rooms:write` to any. They get an event on their own channel.",
        opt=IDEMPOTENT
        | may_raise(RoomNotFound, NotYourRoom, RoomClosed, AlreadyMember, AlreadyInvited, TooManyInvitations),
    )
    async def create_invitation(
        self,
        room_id: FromPath[UUID],
        data: JSONBody[InvitationCreate],
        room_members: Injected[MemberService],
        principal: Injected[Principal],
    ) -> Response[InvitationRead]:
        invitation = await room_members.create_invitation(room_id, data, principal)
        return created(invitation, f"/api/v1/rooms/{room_id}/invitations")

    @delete(
        "/{user_id:uuid}",
        guards=[authenticated],
        operation_id="deleteRoomInvitation",
        summary="Withdraw or decline an invitation",
        description="To your room, with `rooms:write` to any, or your own.",
        opt=may_raise(RoomNotFound, NotYourRoom, InvitationNotFound),
    )
    async def delete_invitation(
        self,
        room_id: FromPath[UUID],
        user_id: FromPath[UUID],
        room_members: Injected[MemberService],
        principal: Injected[Principal],
    ) -> None:
        await room_members.delete_invitation(room_id, user_id, principal)
