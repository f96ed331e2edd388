from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.accounts.models import Profile, User
from app.domain.realtime.rows import MessageRow, MessageRowPage
from app.lib.db.prepared import columns_of
from app.lib.db.reader import Reader
from app.lib.db.statements import affected
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.filters import at_least, at_most, equals
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey
from app.lib.realtime.tables import RealtimeEvent

MESSAGE_SORTS = (SortKey("id", RealtimeEvent.id, int),)

_messages = (
    select(
        *columns_of(
            MessageRow,
            RealtimeEvent,
            user_id=User.id,
            is_active=User.is_active,
            name=User.name,
            first_name=Profile.first_name,
            last_name=Profile.last_name,
        )
    )
    .select_from(RealtimeEvent)
    .outerjoin(User, User.id == RealtimeEvent.sender_id)
    .outerjoin(Profile, Profile.user_id == User.id)
)

MESSAGE_LIST = ListQuery(
    "room_messages",
    MessageRowPage,
    _messages,
    identity=RealtimeEvent.id,
    sorts=MESSAGE_SORTS,
    default_sort="-id",
    filters=(
        equals("channel", RealtimeEvent.channel),
        at_least("min_id", RealtimeEvent.id),
        at_most("max_id", RealtimeEvent.id),
    ),
)


class MessageReads:
    """What was said in channels that keep everything."""

    def __init__(self, reader: Reader, cursors: CursorCodec) -> None:
        self._reader = reader
        self._cursors = cursors

    def check_sort(self, sort: str | None) -> None:
        """Raises ``ValidationFailed``, before anybody looks whether there is such a list."""
        MESSAGE_LIST.order(sort)

    async def messages(
        self, channel: str, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]
    ) -> MessageRowPage:
        only = {**filters, "channel": [channel]}
        return await paginate(self._reader, MESSAGE_LIST, paging, self._cursors, sort=sort, filters=only)


class SenderRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def forget(self, user_id: UUID, limit: int) -> int:
        """Some of what somebody has published stays without them; of how many events that is so now."""
        some = select(RealtimeEvent.channel, RealtimeEvent.id).where(RealtimeEvent.sender_id == user_id).limit(limit)
        forgotten = await self._session.execute(
            update(RealtimeEvent)
            .where(tuple_(RealtimeEvent.channel, RealtimeEvent.id).in_(some))
            .values(sender_id=None)
            .execution_options(synchronize_session=False)
        )
        return affected(forgotten)
