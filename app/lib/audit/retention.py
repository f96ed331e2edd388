"""How the log forgets: whole segments, oldest first, whose heads stay."""

from datetime import timedelta

from sqlalchemy import bindparam, func, select, update

from app.lib.audit.chain import Chainer
from app.lib.audit.kinds import AuditKind, Stream, declare
from app.lib.audit.records import SYSTEM, record
from app.lib.audit.tables import AuditEvent, AuditSegment
from app.lib.clock import utc_now
from app.lib.db.base import table_of
from app.lib.db.prepared import prepare
from app.lib.db.statements import delete_batch
from app.lib.jobs import JobContext, Postpone

DROPPED = AuditKind("audit.dropped", "Segments of this log were dropped, because their time is over.")
declare(DROPPED)

_events, _segments = table_of(AuditEvent), table_of(AuditSegment)
_drop = prepare(
    update(_segments)
    .where(
        _segments.c.stream == bindparam("of_stream"),
        _segments.c.ended_at < bindparam("before"),
        _segments.c.sealed_at.is_not(None),
        _segments.c.dropped_at.is_(None),
    )
    .values(dropped_at=bindparam("now"))
)
_dropped_through = prepare(
    select(func.coalesce(func.max(_segments.c.last_seq), 0)).where(
        _segments.c.stream == bindparam("of_stream"), _segments.c.dropped_at.is_not(None)
    ),
    int,
)
_purge = prepare(
    delete_batch(_events, _events.c.stream == bindparam("of_stream"), _events.c.seq <= bindparam("through"))
)


async def drop_old(context: JobContext, stream: Stream, days: int) -> None:
    """Drops the segments of a stream that ended more than this number of days ago, and deletes their events."""
    chainer = Chainer(context.database)
    async with context.unit() as unit:
        if not await chainer.seal(unit):
            raise Postpone(1)
        now = utc_now()
        dropped = await unit.execute(_drop, of_stream=stream, before=now - timedelta(days=days), now=now)
        through = await unit.first(_dropped_through, of_stream=stream) or 0
        if dropped:
            await record(unit, DROPPED.name, SYSTEM, stream=stream, segments=dropped, through=through, days=days)
    await context.in_batches(lambda unit: unit.execute(_purge, of_stream=stream, through=through))
