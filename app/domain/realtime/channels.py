"""The channels of rooms and people, and the lobby."""

from uuid import UUID

import msgspec

from app.domain.realtime.rows import RoomAccess
from app.domain.realtime.services.lobby import LOBBY
from app.domain.realtime.services.queries import RoomQueries
from app.domain.realtime.services.rooms import ROOM_DELETED, ROOM_LEFT
from app.lib.realtime.channels import ChannelKind, parse_id
from app.lib.realtime.errors import ChannelClosed, ChannelForbidden, ChannelNotFound
from app.lib.security.principal import Principal


async def may_listen_in_room(principal: Principal, name: str, rooms: RoomQueries) -> RoomAccess:
    room = await rooms.access(parse_id(name), principal)
    if not room.is_member:
        raise ChannelForbidden("Only members of the room may do this.")
    return room


async def may_speak_in_room(principal: Principal, name: str, rooms: RoomQueries) -> None:
    room = await may_listen_in_room(principal, name, rooms)
    if room.closed_at is not None:
        raise ChannelClosed


async def is_own_channel(principal: Principal, name: str) -> None:
    if parse_id(name) != principal.user_id:
        raise ChannelForbidden("This channel belongs to another user.")


async def is_signed_in(_principal: Principal, _name: str) -> None:
    """All who have a socket are."""


async def is_plain_text_only(_principal: Principal, _name: str) -> None:
    raise ChannelNotFound


def _user_who_left(event: str, data: bytes) -> UUID | None:
    return UUID(msgspec.json.decode(data)["user_id"]) if event == ROOM_LEFT else None


CHANNEL_KINDS = (
    ChannelKind(
        name="room",
        may_subscribe=may_listen_in_room,
        may_publish=may_speak_in_room,
        is_kept=True,
        has_presence=True,
        reserved_events=frozenset({"room", "user"}),
        revoked_user=_user_who_left,
        last_event=ROOM_DELETED,
    ),
    ChannelKind(name="user", may_subscribe=is_own_channel),
    ChannelKind(name="presence", may_subscribe=is_signed_in, has_presence=True),
    ChannelKind(name=LOBBY, may_subscribe=is_plain_text_only, has_presence=True, is_named=False),
)
