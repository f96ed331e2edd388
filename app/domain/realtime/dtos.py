"""Rooms and tickets over HTTP. The frames of sockets are in :mod:`app.lib.realtime.frames`."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.domain.accounts.dtos import PersonRead
from app.domain.realtime.names import MAX_ROOM_NAME, ROOM_NAME
from app.lib.errors import FieldCode
from app.lib.http.conditional import Version, Versioned
from app.lib.pagination.envelope import Page
from app.lib.wire.decoding import Hint
from app.lib.wire.dto import Input, Output
from app.lib.wire.field_errors import FieldProblem
from app.lib.wire.fields import SingleLine, Username

PUBLIC: Final = "public"
OWNER: Final = "owner"
MEMBER: Final = "member"

Visibility = Annotated[
    Literal["public", "private"], Meta(title="RoomVisibility", description="Who finds and joins a room.")
]
MemberRole = Annotated[Literal["owner", "member"], Meta(title="RoomMemberRole", description="What a member may do.")]


RoomName = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_ROOM_NAME, pattern=rf"{ROOM_NAME}(?!\n)", examples=["harbour"]),
    Hint("Must be lower-case letters, digits, dots, hyphens and underscores, with a letter or digit first."),
]
EventName = Annotated[str, Meta(max_length=64, pattern=r"^[a-z][a-z0-9_.-]*$(?!\n)", examples=["message"])]


_Title = Annotated[SingleLine, Meta(examples=["The harbour"])]
_ANY_JSON = Meta(
    extra_json_schema={"description": "Any JSON.", "examples": [{"text": "Ahoy"}]}, extra={"is_checked_later": True}
)


_GRACE = {
    "id": "0193a3c4-5b6d-7a11-9c2e-5d0f4b8e7a36",
    "username": "grace.hopper",
    "name": "Grace Hopper",
    "avatar_url": "https://images.example.com/grace.png",
}


class RoomRead(Versioned):
    """A room. ``owner_id`` is null when it has no members; after ``closed_at`` no one can join or publish.

    Its channel is `room:` and its id. No two open public rooms have one name; private ones may.
    """

    id: UUID
    name: RoomName
    title: _Title | None
    visibility: Visibility
    owner_id: Annotated[UUID, Meta(examples=[_GRACE["id"]])] | None
    closed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: Version


RoomPage = Page[RoomRead]


class RoomCreate(Input):
    """A new room."""

    name: RoomName
    title: _Title | None = None
    visibility: Visibility = "public"


class RoomUpdate(Input):
    """A merge patch of a room."""

    name: RoomName | UnsetType = UNSET
    title: _Title | None | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET


class MemberRead(Output):
    """A member of a room."""

    user: Annotated[PersonRead, Meta(examples=[_GRACE])]
    role: MemberRole
    joined_at: datetime


MemberPage = Page[MemberRead]


class InvitationCreate(Input):
    """The user to invite, by id or by username."""

    user_id: UUID | UnsetType = UNSET
    username: Annotated[Username, Meta(extra={"is_alternative": True})] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.user_id is UNSET) is (self.username is UNSET):
            raise FieldProblem(FieldCode.INVALID_CHOICE, "Must have either user_id or username.")


class InvitationRead(Output):
    """An open invitation. ``invited_by`` is null when that account is gone."""

    user: PersonRead
    invited_by: Annotated[PersonRead, Meta(examples=[_GRACE])] | None
    created_at: datetime


InvitationPage = Page[InvitationRead]


class MessageRead(Versioned):
    """An event of a room's channel, with its id there. ``sender`` is null for events of the service, and when the
    account is gone; ``data`` is what was published, any JSON, or what it was edited to. The ETag changes with the
    sender, too.
    """

    is_live: ClassVar[bool] = True

    id: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    event: EventName
    data: Annotated[msgspec.Raw, _ANY_JSON]
    sender: PersonRead | None
    sent_at: datetime
    edited_at: datetime | None
    version: Annotated[Version, Meta(examples=[1])]


class MessageCreate(Input):
    """What is published on the room's channel. ``data`` has at most as many bytes as on sockets."""

    data: Annotated[Any, _ANY_JSON]
    event: EventName = "message"


class MessageUpdate(Input):
    """A merge patch of a message. In objects of ``data``, too, null deletes a member, and what is not named stays."""

    data: Annotated[Any, _ANY_JSON] = UNSET


MessagePage = Page[MessageRead]


class TicketRead(Output):
    """Opens one connection, once, until ``expires_at``."""

    ticket: Annotated[
        str,
        Meta(
            max_length=64,
            pattern=r"^[0-9A-Za-z]+$(?!\n)",
            examples=["3nWk0rVtQpYx9Zb2LmHs7CdFg5TjRaUe8KoXi1PyNvw"],
            description="Goes into the query of the WebSocket or event stream.",
        ),
    ]
    expires_at: Annotated[datetime, Meta(examples=["2026-01-31T12:00:30Z"])]
