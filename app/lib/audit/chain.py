"""The chain: takes what was committed out of the inbox, and links each event to the one before by its hash.

Transactions only insert into the inbox, so that none waits for another; one process at a time chains, in the
background. What commits late is chained late, so the order of the chain is no order of time.
"""

import asyncio
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import bindparam, delete, func, insert, select, update

from app.lib.audit.kinds import Stream, stream_of
from app.lib.audit.tables import AuditEvent, AuditInbox, AuditSegment
from app.lib.clock import utc_now
from app.lib.db.base import table_of
from app.lib.db.engine import Database
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.uow import UnitOfWork

BATCH = 250
"""Events that are chained in one transaction: on SQLite no other one can write in the meantime."""
PAUSE = 0.8
"""Seconds between two looks at the inbox."""
GENESIS = bytes(32)
"""What the first event of a stream follows."""
_LOCK = 0x6C6F6461756469

log = structlog.stdlib.get_logger(__name__)


class RecordedEvent(msgspec.Struct, frozen=True):
    """An event as it was recorded."""

    id: UUID
    created_at: datetime
    kind: str
    actor_id: UUID | None
    subject_id: UUID | None
    session_id: UUID | None
    address: str | None
    user_agent: str | None
    request_id: str | None
    client_request_id: str | None
    details: dict[str, Any]


class SegmentRow(msgspec.Struct):
    """A segment; see :class:`AuditSegment`."""

    stream: str
    number: int
    first_seq: int
    last_seq: int
    previous_hash: bytes
    last_hash: bytes
    started_at: datetime
    ended_at: datetime
    sealed_at: datetime | None = None
    dropped_at: datetime | None = None

    def follow(self, now: datetime) -> "SegmentRow":
        """The next one, which has no events yet."""
        start = self.last_seq + 1
        return SegmentRow(self.stream, self.number + 1, start, self.last_seq, self.last_hash, self.last_hash, now, now)


_segments = table_of(AuditSegment)
_others = _segments.alias()
_is_waiting = prepare(select(select(AuditInbox.id).exists()), bool)
_inbox = prepare(
    select(*columns_of(RecordedEvent, AuditInbox)).order_by(AuditInbox.id).limit(bindparam("limit")), RecordedEvent
)
_newest = prepare(
    select(*columns_of(SegmentRow, AuditSegment)).where(
        _segments.c.number
        == select(func.max(_others.c.number)).where(_others.c.stream == _segments.c.stream).scalar_subquery()
    ),
    SegmentRow,
)
_append = prepare(insert(AuditEvent))
_take_out = prepare(delete(table_of(AuditInbox)).where(AuditInbox.id == bindparam("event_id")))
_open = prepare(insert(AuditSegment))
_is_this = (_segments.c.stream == bindparam("of_stream"), _segments.c.number == bindparam("of_number"))
_grow = prepare(
    update(_segments)
    .where(*_is_this)
    .values(last_seq=bindparam("seq"), last_hash=bindparam("hash"), ended_at=bindparam("now"))
)
_seal = prepare(update(_segments).where(*_is_this).values(sealed_at=bindparam("now")))
_try_lock = prepare(select(func.pg_try_advisory_xact_lock(_LOCK)), bool)


def digest_of(previous: bytes, event: RecordedEvent, stream: str, segment: int, seq: int) -> bytes:
    """The hash of an event in its place: SHA-256 over the hash before it and the members that are not null, as JSON in
    the order of their names. So a column that is added later changes no hash.
    """
    members = {name: getattr(event, name) for name in RecordedEvent.__struct_fields__}
    members |= {"stream": stream, "segment": segment, "seq": seq}
    canonical = {name: value for name, value in members.items() if value is not None}
    return sha256(previous + msgspec.json.encode(canonical, order="sorted")).digest()


class Chainer:
    """Chains what waits in the inbox. Any number of processes may have one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def step(self) -> None:
        """To be repeated in the background."""
        await self.chain()
        await asyncio.sleep(PAUSE)

    async def chain(self) -> int:
        """Chains all that waits, unless another process does. Returns the number of events."""
        count = 0
        while await self._database.reader.first(_is_waiting):
            async with self._database.independent() as unit:
                taken = await self._chain_batch(unit)
            count += taken
            if taken < BATCH:
                break
        return count

    async def seal(self, unit: UnitOfWork) -> bool:
        """Seals the segments of days that are over. False when another process is at the chain."""
        if not await self._lock(unit):
            return False
        now = utc_now()
        for each in await unit.all(_newest):
            if each.sealed_at is None and each.started_at.date() < now.date():
                await self._seal(unit, each, now)
        return True

    async def _lock(self, unit: UnitOfWork) -> bool:
        """Until the transaction ends. SQLite has one writer in any case."""
        return self._database.url.is_sqlite or bool(await unit.first(_try_lock))

    async def _chain_batch(self, unit: UnitOfWork) -> int:
        if not await self._lock(unit):
            return 0
        events = await unit.all(_inbox, limit=BATCH)
        now = utc_now()
        heads = {each.stream: each for each in await unit.all(_newest)}
        for stream in {stream_of(each.kind) for each in events}:
            heads[stream] = await self._open_segment(unit, stream, heads.get(stream), now)
        rows = []
        for event in events:
            head = heads[stream_of(event.kind)]
            head.last_seq += 1
            head.last_hash = digest_of(head.last_hash, event, head.stream, head.number, head.last_seq)
            place = {"stream": head.stream, "segment": head.number, "seq": head.last_seq, "hash": head.last_hash}
            rows.append(msgspec.structs.asdict(event) | place)
        await unit.execute_many(_append, rows)
        for stream in {row["stream"] for row in rows}:
            head = heads[stream]
            values = {"seq": head.last_seq, "hash": head.last_hash, "now": max(now, head.ended_at)}
            await unit.execute(_grow, of_stream=stream, of_number=head.number, **values)
        await unit.execute_many(_take_out, [{"event_id": each.id} for each in events])
        return len(events)

    async def _open_segment(
        self, unit: UnitOfWork, stream: Stream, newest: SegmentRow | None, now: datetime
    ) -> SegmentRow:
        """The segment of today. A clock that goes back stays in the one that there is."""
        if newest is not None and newest.sealed_at is None:
            if newest.started_at.date() >= now.date():
                return newest
            await self._seal(unit, newest, now)
        opened = newest.follow(now) if newest else SegmentRow(stream, 1, 1, 0, GENESIS, GENESIS, now, now)
        await unit.execute(_open, **msgspec.structs.asdict(opened))
        return opened

    async def _seal(self, unit: UnitOfWork, segment: SegmentRow, now: datetime) -> None:
        """Logged with its hash, so that it is known outside the database, too."""
        await unit.execute(_seal, of_stream=segment.stream, of_number=segment.number, now=max(now, segment.ended_at))
        head = f"{segment.stream}:{segment.last_seq}:{segment.last_hash.hex()}"
        log.info("audit.sealed", segment=segment.number, head=head)
