"""How a client gets what the paths of these routes name, for the contract tests of all routes."""

from typing import Any
from uuid import UUID

from tests.support.making import Maker, Making
from tests.support.rooms import room_of


async def make_room(making: Making) -> UUID:
    """The caller's, with another user who is a member and invited."""
    return await room_of(making.boss.id, making.people.core, with_=await making.get("user_id"))


MAKERS: dict[str, Maker] = {
    "room_id": make_room,
    "message_id": ("/api/v1/rooms/{room_id}/messages", {"data": {"text": "Hello"}}),
}
BODIES: dict[str, dict[str, Any]] = {"createRoomInvitation": {"user_id": "{other_user_id}"}}
