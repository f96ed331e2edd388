from collections.abc import Mapping
from typing import Any

from app.domain.realtime.dtos import InvitationPage, MemberPage, MessagePage, RoomPage, RoomRead
from app.domain.realtime.errors import NotAMember, RoomNotFound
from app.domain.realtime.names import read_reference, room_channel
from app.domain.realtime.repositories.messages import MESSAGE_SORTS, MessageReads
from app.domain.realtime.repositories.reads import ROOM_SORTS, RoomReads
from app.domain.realtime.rows import SeenRoom
from app.domain.realtime.services.access import require_rule, sees, sees_all, sees_into
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal

ROOM_SORT_KEYS = tuple(key.name for key in ROOM_SORTS)
MESSAGE_SORT_KEYS = tuple(key.name for key in MESSAGE_SORTS)


class RoomQueries:
    """What is shown of rooms, and to whom; reads only, without a transaction."""

    def __init__(self, reads: RoomReads, messages: MessageReads) -> None:
        self._reads = reads
        self._messages = messages

    async def room(self, reference: str, viewer: Principal) -> RoomRead:
        """By id or name. Raises ``RoomNotFound``."""
        return (await self._visible(reference, viewer)).to_read()

    async def rooms(
        self,
        paging: PageRequest,
        sort: str | None,
        filters: Mapping[str, Any],
        viewer: Principal,
        *,
        mine: bool | None = None,
        invited: bool | None = None,
    ) -> RoomPage:
        """Public ones, those that the viewer is in, and those they are invited to; all of them for staff."""
        own = {
            "seen_by": None if sees_all(viewer) else viewer.user_id,
            "member_id": viewer.user_id if mine else None,
            "invited_id": viewer.user_id if invited else None,
        }
        return await self._reads.rooms(paging, sort, {**filters, **own})

    async def members(self, reference: str, paging: PageRequest, viewer: Principal) -> MemberPage:
        """Raises ``RoomNotFound`` or ``NotAMember``."""
        room = await self._entered(reference, viewer)
        page = await self._reads.members(room.id, paging)
        return page.with_items(MemberPage, [row.to_read() for row in page.items])

    async def invitations(self, reference: str, paging: PageRequest, viewer: Principal) -> InvitationPage:
        """Raises ``RoomNotFound`` or ``NotYourRoom``."""
        room = await self._visible(reference, viewer)
        if not sees_all(viewer):
            require_rule(room.standing, viewer)
        page = await self._reads.invitations(room.id, paging)
        return page.with_items(InvitationPage, [row.to_read() for row in page.items])

    async def messages(
        self, reference: str, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal
    ) -> MessagePage:
        """Raises ``ValidationFailed``, ``RoomNotFound`` or ``NotAMember``."""
        self._messages.check_sort(sort)
        room = await self._entered(reference, viewer)
        page = await self._messages.messages(room_channel(room.name), paging, sort, filters)
        return page.with_items(MessagePage, [row.to_read() for row in page.items])

    async def _visible(self, reference: str, viewer: Principal) -> SeenRoom:
        key = read_reference(reference)
        room = await self._reads.room(key, viewer.user_id) if key is not None else None
        if room is None or not sees(room.visibility, room.standing, viewer):
            raise RoomNotFound
        return room

    async def _entered(self, reference: str, viewer: Principal) -> SeenRoom:
        room = await self._visible(reference, viewer)
        if not sees_into(room.standing, viewer):
            raise NotAMember
        return room
