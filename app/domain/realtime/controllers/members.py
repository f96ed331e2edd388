from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.params import FromPath, JSONBody

from app.domain.realtime.controllers.parameters import RoomReference
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
    path = "/rooms/{room_ref:str}/members"
    tags = ("Rooms",)

    @get(
        guards=[authenticated],
        return_dto=StructDTO[MemberPage],
        operation_id="listRoomMembers",
        summary="Who is in a room",
        description="For those who are in it, and with `rooms:read`. Who came first comes first.",
        opt=may_raise(RoomNotFound, NotAMember),
    )
    async def list_members(
        self,
        room_ref: RoomReference,
        request: Request[Any, Any, Any],
        room_queries: Injected[RoomQueries],
        principal: Injected[Principal],
        paging: Injected[PageRequest],
    ) -> Response[MemberPage]:
        return linked(request, await room_queries.members(room_ref, paging, principal))

    @delete(
        "/{user_id:uuid}",
        guards=[authenticated],
        operation_id="removeRoomMember",
        summary="Remove somebody from a room",
        description="From yours, or with `rooms:write` from any. To a public room they may come again.",
        opt=may_raise(RoomNotFound, NotYourRoom, MemberNotFound),
    )
    async def remove(
        self,
        room_ref: RoomReference,
        user_id: FromPath[UUID],
        room_members: Injected[MemberService],
        principal: Injected[Principal],
    ) -> None:
        await room_members.remove(room_ref, user_id, principal)


class InvitationController(Controller):
    path = "/rooms/{room_ref:str}/invitations"
    tags = ("Rooms",)

    @get(
        guards=[authenticated],
        return_dto=StructDTO[InvitationPage],
        operation_id="listRoomInvitations",
        summary="Who is invited to a room",
        description="For its owner, and with `rooms:read`. Newest first.",
        opt=may_raise(RoomNotFound, NotYourRoom),
    )
    async def list_invitations(
        self,
        room_ref: RoomReference,
        request: Request[Any, Any, Any],
        room_queries: Injected[RoomQueries],
        principal: Injected[Principal],
        paging: Injected[PageRequest],
    ) -> Response[InvitationPage]:
        return linked(request, await room_queries.invitations(room_ref, paging, principal))

    @post(
        guards=[authenticated],
        dto=StructDTO[InvitationCreate],
        return_dto=StructDTO[InvitationRead],
        operation_id="inviteToRoom",
        summary="Invite somebody to a room",
        description="To yours, or with `rooms:write` to any. They are told on their own channel.",
        opt=IDEMPOTENT
        | may_raise(RoomNotFound, NotYourRoom, RoomClosed, AlreadyMember, AlreadyInvited, TooManyInvitations),
    )
    async def invite(
        self,
        room_ref: RoomReference,
        data: JSONBody[InvitationCreate],
        room_members: Injected[MemberService],
        principal: Injected[Principal],
    ) -> Response[InvitationRead]:
        room_id, invitation = await room_members.invite(room_ref, data, principal)
        return created(invitation, f"/api/v1/rooms/{room_id}/invitations")

    @delete(
        "/{user_id:uuid}",
        guards=[authenticated],
        operation_id="withdrawRoomInvitation",
        summary="Withdraw an invitation, or decline it",
        description="To your room, with `rooms:write` to any, or your own.",
        opt=may_raise(RoomNotFound, NotYourRoom, InvitationNotFound),
    )
    async def withdraw(
        self,
        room_ref: RoomReference,
        user_id: FromPath[UUID],
        room_members: Injected[MemberService],
        principal: Injected[Principal],
    ) -> None:
        await room_members.withdraw(room_ref, user_id, principal)
