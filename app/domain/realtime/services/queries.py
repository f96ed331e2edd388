from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from app.domain.accounts.dtos import PersonRead
from app.domain.accounts.services.queries import AccountQueries
from app.domain.realtime.dtos import (
    InvitationPage,
    MemberPage,
    MessagePage,
    MessageRead,
    RoomPage,
    RoomRead,
)
from app.domain.realtime.errors import MessageNotFound, NotAMember, NotYourRoom, RoomNotFound
from app.domain.realtime.names import room_channel
from app.domain.realtime.permissions import ROOMS_READ, ROOMS_WRITE
from app.domain.realtime.repositories import (
    INVITATION_LIST,
    MEMBER_LIST,
    MESSAGE,
    MESSAGE_LIST,
    ROOM,
    ROOM_ACCESS,
    ROOM_LIST,
)
from app.domain.realtime.rows import RoomAccess
from app.domain.realtime.settings import RealtimeSettings
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.realtime.frames import MAX_ID
from app.lib.realtime.log import StoredEvent
from app.lib.security.principal import Principal
from app.lib.wire.dto import project

ROOM_SORT = ROOM_LIST.sort_parameter()
MESSAGE_SORT = MESSAGE_LIST.sort_parameter()

MAX_LIST_BYTES = 409_600
"""Of the messages in one answer: a hundred of the usual maximum."""


@dataclass
class RoomQueries:
    """Rooms as their viewers see them; reads only, without a transaction."""

    reader: Reader
    cursors: CursorCodec
    accounts: AccountQueries
    settings: RealtimeSettings

    async def get(self, room_id: UUID, viewer: Principal) -> RoomRead:
        """Raises ``RoomNotFound``, also for a room that the viewer must not know of."""
        return await self.reader.one(ROOM, RoomNotFound, room_id=room_id, **_seen_by(viewer))

    async def access(self, room_id: UUID, viewer: Principal) -> RoomAccess:
        """Raises ``RoomNotFound``, as :meth:`get`."""
        return await self.reader.one(ROOM_ACCESS, RoomNotFound, room_id=room_id, **_seen_by(viewer))

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
        return await paginate(self.reader, ROOM_LIST, paging, self.cursors, sort=sort, filters={**filters, **own})

    async def list_members(self, room_id: UUID, paging: PageRequest, viewer: Principal) -> MemberPage:
        """Raises ``RoomNotFound`` or ``NotAMember``."""
        await self._require_readable(room_id, viewer)
        return await paginate(self.reader, MEMBER_LIST, paging, self.cursors, filters={"room_id": room_id})

    async def list_invitations(self, room_id: UUID, paging: PageRequest, viewer: Principal) -> InvitationPage:
        """Raises ``RoomNotFound`` or ``NotYourRoom``."""
        room = await self.access(room_id, viewer)
        if not can_see_all(viewer):
            require_can_manage(room.owner_id, viewer)
        return await paginate(self.reader, INVITATION_LIST, paging, self.cursors, filters={"room_id": room_id})

    async def list_messages(
        self, room_id: UUID, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal
    ) -> MessagePage:
        """At most as many as may have 400 kB. Raises ``ValidationFailed``, ``RoomNotFound`` or ``NotAMember``."""
        MESSAGE_LIST.order(sort)
        await self._require_readable(room_id, viewer)
        most = max(1, MAX_LIST_BYTES // self.settings.realtime_max_message_bytes)
        paging = msgspec.structs.replace(paging, page_size=min(paging.page_size, most))
        only = {**filters, "channel": [room_channel(room_id)]}
        page = await paginate(self.reader, MESSAGE_LIST, paging, self.cursors, sort=sort, filters=only)
        people = await self.accounts.list_people(row.sender_id for row in page.items)
        return page.with_items(MessagePage, [read_message(row, people) for row in page.items])

    async def get_message(self, room_id: UUID, message_id: int, viewer: Principal) -> MessageRead:
        """Raises ``RoomNotFound``, ``NotAMember`` or ``MessageNotFound``."""
        await self._require_readable(room_id, viewer)
        message = {"in_channel": room_channel(room_id), "message_id": min(message_id, MAX_ID)}
        row = await self.reader.one(MESSAGE, MessageNotFound, **message)
        return read_message(row, await self.accounts.list_people([row.sender_id]))

    async def _require_readable(self, room_id: UUID, viewer: Principal) -> None:
        room = await self.access(room_id, viewer)
        if not room.is_member and not can_see_all(viewer):
            raise NotAMember


def read_message(row: StoredEvent, people: Mapping[UUID | None, PersonRead]) -> MessageRead:
    """A row of the log as REST shows it."""
    sender = people.get(row.sender_id)
    return project(MessageRead, row.frame, sender=sender, edited_at=row.edited_at, version=row.version)


def _seen_by(viewer: Principal) -> dict[str, Any]:
    return {"viewer_id": viewer.user_id, "sees_all": can_see_all(viewer)}


def can_see_all(viewer: Principal) -> bool:
    """Staff with either permission."""
    return viewer.may(ROOMS_READ) or viewer.may(ROOMS_WRITE)


def require_can_manage(owner_id: UUID | None, actor: Principal) -> None:
    """Raises ``NotYourRoom`` unless the actor owns the room, or may change all rooms."""
    if owner_id != actor.user_id and not actor.may(ROOMS_WRITE):
        raise NotYourRoom
