"""What is said in rooms."""

from typing import Annotated

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import JSONBody, PathParameter, QueryParameter

from app.domain.realtime.controllers.rooms import Id, Queries
from app.domain.realtime.dtos import MessageCreate, MessagePage, MessageRead, MessageUpdate
from app.domain.realtime.errors import RoomClosed
from app.domain.realtime.services.messages import MessageService, location_of
from app.domain.realtime.services.queries import MESSAGE_SORT
from app.lib.http.injection import Caller, Injected, Paging, Precondition
from app.lib.http.locations import created
from app.lib.http.rules import TEXT_BODY
from app.lib.http.transaction import REPLACEABLE
from app.lib.openapi.document import may_raise
from app.lib.openapi.examples import shows
from app.lib.realtime.frames import MAX_ID
from app.lib.security.policies import authenticated
from app.lib.wire.dto import StructDTO

Messages = Injected[MessageService]
MessageId = Annotated[
    int, PathParameter(description="Its id in the channel.", schema_extra={"minimum": 1, "maximum": MAX_ID})
]
MessageSort = Annotated[str | None, MESSAGE_SORT]
MinId = Annotated[int | None, QueryParameter(ge=1, le=MAX_ID, description="This event and later ones.")]
MaxId = Annotated[int | None, QueryParameter(ge=1, le=MAX_ID, description="This event and earlier ones.")]


class MessageController(Controller):
    path = "/rooms/{room_id:uuid}/messages"
    tags = ("Rooms",)
    guards = (authenticated,)
    dto = None
    return_dto = StructDTO[MessageRead]

    @get(
        return_dto=StructDTO[MessagePage],
        summary="List the messages of a room",
        description="All events of its channel, newest first. For members, and with `rooms:read`.",
    )
    async def list_room_messages(
        self,
        room_id: Id,
        queries: Queries,
        principal: Caller,
        paging: Paging,
        min_id: MinId = None,
        max_id: MaxId = None,
        sort: MessageSort = None,
    ) -> MessagePage:
        filters = {"min_id": min_id, "max_id": max_id}
        return await queries.list_messages(room_id, paging, sort, filters, principal)

    @post(
        dto=StructDTO[MessageCreate],
        summary="Publish a message in a room",
        description="For members. All who listen to its channel get it.",
        opt=REPLACEABLE | TEXT_BODY,
    )
    async def create_room_message(
        self, room_id: Id, data: JSONBody[MessageCreate], messages: Messages, principal: Caller
    ) -> Response[MessageRead]:
        message = await messages.create(room_id, data, principal)
        return created(message, location_of(room_id, message.id))

    @get(
        "/{message_id:int}",
        summary="Get a message of a room",
        description="Any event of its channel. For members, and with `rooms:read`.",
    )
    async def get_room_message(
        self, room_id: Id, message_id: MessageId, queries: Queries, principal: Caller
    ) -> MessageRead:
        return await queries.get_message(room_id, message_id, principal)

    @patch(
        "/{message_id:int}",
        dto=StructDTO[MessageUpdate],
        summary="Update a message in a room",
        description="Your own, in a room of your own any, and with `rooms:write` all. Its channel says so.",
        opt=TEXT_BODY | may_raise(RoomClosed) | shows(200, edited_at="2026-01-31T12:05:00Z", version=2),
    )
    async def update_room_message(
        self,
        room_id: Id,
        message_id: MessageId,
        data: JSONBody[MessageUpdate],
        messages: Messages,
        principal: Caller,
        if_match: Precondition,
    ) -> MessageRead:
        return await messages.update(room_id, message_id, data, if_match, principal)

    @delete(
        "/{message_id:int}",
        summary="Delete a message in a room",
        description="Your own, in a room of your own any, and with `rooms:write` all. No one can read it any more.",
    )
    async def delete_room_message(
        self, room_id: Id, message_id: MessageId, messages: Messages, principal: Caller, if_match: Precondition
    ) -> None:
        await messages.delete(room_id, message_id, if_match, principal)
