from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from app.domain.realtime.dtos import InvitationPage, MemberPage, MessagePage, RoomPage, RoomRead
from app.domain.realtime.errors import NotAMember, RoomNotFound
from app.domain.realtime.repositories.reads import MESSAGE_LIST, MESSAGE_SORTS, ROOM_SORTS, RoomReads
from app.domain.realtime.rows import RoomRow
from app.domain.realtime.services.access import can_read_messages, can_see, can_see_all, require_can_manage
from app.domain.realtime.settings import RealtimeSettings
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal

ROOM_SORT_KEYS = tuple(key.name for key in ROOM_SORTS)
MESSAGE_SORT_KEYS = tuple(key.name for key in MESSAGE_SORTS)

MAX_LIST_BYTES = 409_600
"""Of the messages in one answer: a hundred of the usual maximum."""


class RoomQueries:
    """Rooms as their viewers see them; reads only, without a transaction."""

    def __init__(self, reads: RoomReads, settings: RealtimeSettings) -> None:
        self._reads = reads
        self._most_messages = max(1, MAX_LIST_BYTES // settings.realtime_max_message_bytes)

    async def require_visible(self, room_id: UUID, viewer: Principal) -> RoomRow:
        """Raises ``RoomNotFound``."""
        room = await self._reads.get(room_id, viewer.user_id)
        if room is None or not can_see(room.visibility, room.standing, viewer):
            raise RoomNotFound
        return room

    async def get(self, room_id: UUID, viewer: Principal) -> RoomRead:
        """Raises ``RoomNotFound``."""
        return (await self.require_visible(room_id, viewer)).to_read()

    async def list(
        self,
        paging: PageRequest,
        sort: str | None,
        filters: Mapping[str, Any],
        viewer: Principal,
        *,
        mine: bool | None = None,
        invited: bool | None = None,
    ) -> RoomPage:
        """Public rooms, those of the viewer, and those that the viewer is invited to; all of them for staff."""
        own = {
            "seen_by": None if can_see_all(viewer) else viewer.user_id,
            "member_id": viewer.user_id if mine else None,
            "invited_id": viewer.user_id if invited else None,
        }
        return await self._reads.list(paging, sort, {**filters, **own})

    async def list_members(self, room_id: UUID, paging: PageRequest, viewer: Principal) -> MemberPage:
        """Raises ``RoomNotFound`` or ``NotAMember``."""
        room = await self._require_readable(room_id, viewer)
        page = await self._reads.list_members(room.id, paging)
        return page.with_items(MemberPage, [row.to_read() for row in page.items])

    async def list_invitations(self, room_id: UUID, paging: PageRequest, viewer: Principal) -> InvitationPage:
        """Raises ``RoomNotFound`` or ``NotYourRoom``."""
        room = await self.require_visible(room_id, viewer)
        if not can_see_all(viewer):
            require_can_manage(room.standing, viewer)
        page = await self._reads.list_invitations(room.id, paging)
        return page.with_items(InvitationPage, [row.to_read() for row in page.items])

    async def list_messages(
        self, room_id: UUID, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal
    ) -> MessagePage:
        """As many as are asked for, unless they may have more than 400 kB.

        Raises ``ValidationFailed``, ``RoomNotFound`` or ``NotAMember``.
        """
        MESSAGE_LIST.order(sort)
        paging = msgspec.structs.replace(paging, page_size=min(paging.page_size, self._most_messages))
        room = await self._require_readable(room_id, viewer)
        page = await self._reads.list_messages(room.id, paging, sort, filters)
        return page.with_items(MessagePage, [row.to_read() for row in page.items])

    async def _require_readable(self, room_id: UUID, viewer: Principal) -> RoomRow:
        room = await self.require_visible(room_id, viewer)
        if not can_read_messages(room.standing, viewer):
            raise NotAMember
        return room
