"""How much a person may publish in a day. What the log holds of them is counted, so nothing is written for it."""

import time
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, func, literal, select

from app.lib.db.base import table_of
from app.lib.db.instants import database_now_plus
from app.lib.db.prepared import prepare
from app.lib.db.reader import Reader
from app.lib.realtime.errors import QuotaReached
from app.lib.realtime.tables import RealtimeEvent

_DAY_SECONDS = 86_400.0
_AT_A_TIME = 100
_REFUSED_SECONDS = 10.0
_MAX_KNOWN = 10_000

_events = table_of(RealtimeEvent)
_recent = (
    select(literal(1))
    .where(
        _events.c.sender_id == bindparam("sender_id", type_=Uuid()),
        _events.c.created_at > database_now_plus(-_DAY_SECONDS),
    )
    .limit(bindparam("most", type_=Integer()))
)
_count = prepare(select(func.count()).select_from(_recent.subquery()), int)


class Quota:
    """Counts once for up to 100 events, so one event more or less may pass for each that was on its way."""

    def __init__(self, reader: Reader, most: int) -> None:
        self._reader = reader
        self._most = most
        self._left: dict[UUID, int] = {}
        self._refused_until: dict[UUID, float] = {}

    async def take(self, user_id: UUID) -> None:
        """Takes one event of the quota. Raises ``QuotaReached``, or what the database raises."""
        if self._refused_until.get(user_id, 0) > time.monotonic():
            raise QuotaReached(self._most)
        if not self._left.get(user_id):
            used = await self._reader.first(_count, sender_id=user_id, most=self._most) or 0
            if len(self._left) >= _MAX_KNOWN:
                self._left.clear()
                self._refused_until.clear()
            self._left[user_id] = min(_AT_A_TIME, self._most - used)
        if self._left[user_id] <= 0:
            self._refused_until[user_id] = time.monotonic() + _REFUSED_SECONDS
            raise QuotaReached(self._most)
        self._left[user_id] -= 1
