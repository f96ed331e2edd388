"""Whether the log is as it was written: recomputes every hash and says what was changed, removed, added or moved."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import msgspec
from sqlalchemy import bindparam, func, select, union

from app.lib.audit.chain import GENESIS, RecordedEvent, SegmentRow, digest_of
from app.lib.audit.kinds import Stream
from app.lib.audit.tables import AuditEvent, AuditInbox, AuditSegment
from app.lib.clock import utc_now
from app.lib.db.base import table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.reader import Reader

MAX_FINDINGS = 100
_PAGE = 1000
_BEFORE_ALL = -(2**63)


class ChainedEvent(RecordedEvent, frozen=True):
    """An event in its place."""

    segment: int
    seq: int
    hash: bytes


class Head(msgspec.Struct, frozen=True):
    """The end of a stream: keep it elsewhere, and the log can be shown to hold all up to there."""

    stream: str
    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.stream}:{self.seq}:{self.hash}"


class Finding(msgspec.Struct, frozen=True):
    """What is wrong at a place of a stream. ``seq`` is None where a segment's own row is wrong."""

    stream: str
    segment: int | None
    seq: int | None
    problem: str


class Report(msgspec.Struct, kw_only=True):
    """What :func:`verify` found. At most :data:`MAX_FINDINGS` findings are kept of those that ``wrong`` counts."""

    events: int = 0
    segments: int = 0
    dropped: int = 0
    waiting: int = 0
    wrong: int = 0
    heads: list[Head] = []
    findings: list[Finding] = []

    def add(self, finding: Finding) -> None:
        self.wrong += 1
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)


_events, _segments = table_of(AuditEvent), table_of(AuditSegment)
_streams = prepare(select(union(select(_events.c.stream), select(_segments.c.stream)).subquery().c.stream), str)
_waiting = prepare(select(func.count()).select_from(AuditInbox), int)
_dropped = prepare(select(func.count()).select_from(AuditSegment).where(AuditSegment.dropped_at.is_not(None)), int)
_last_seq = prepare(
    select(func.coalesce(func.max(_events.c.seq), 0)).where(_events.c.stream == bindparam("of_stream")), int
)
_segments_of = prepare(
    select(*columns_of(SegmentRow, AuditSegment))
    .where(AuditSegment.stream == bindparam("of_stream"))
    .order_by(AuditSegment.number),
    SegmentRow,
)
_page = prepare(
    select(*columns_of(ChainedEvent, AuditEvent))
    .where(AuditEvent.stream == bindparam("of_stream"), AuditEvent.seq > bindparam("after"))
    .order_by(AuditEvent.seq)
    .limit(_PAGE),
    ChainedEvent,
)
_hash_at = prepare(
    select(AuditEvent.hash).where(AuditEvent.stream == bindparam("of_stream"), AuditEvent.seq == bindparam("seq")),
    bytes,
)


async def verify(reader: Reader, days: Mapping[Stream, int], expected: Head | None = None) -> Report:
    """Reads the whole log, a page at a time. ``days`` is how long the events of a stream are kept, and ``expected`` a
    head that was kept elsewhere.
    """
    dropped = -1
    while True:  # segments that are dropped in the meantime would look as if they were missing
        report = Report(waiting=await reader.first(_waiting) or 0)
        for stream in sorted(await reader.all(_streams)):
            await _Walk(reader, stream, days, report).run()
        now_dropped = await reader.first(_dropped) or 0
        if not report.wrong or now_dropped in {dropped, report.dropped}:
            break
        dropped = now_dropped
    if expected is not None:
        await _check_expected(reader, expected, report)
    return report


async def _check_expected(reader: Reader, expected: Head, report: Report) -> None:
    segments = await reader.all(_segments_of, of_stream=expected.stream)
    ends = {each.last_seq: each.last_hash for each in segments}
    found = ends.get(expected.seq) or await reader.first(_hash_at, of_stream=expected.stream, seq=expected.seq)
    if found is None or found.hex() != expected.hash:
        problem = "missing: the head that was kept" if found is None else "changed since the head was kept"
        report.add(Finding(expected.stream, None, expected.seq, problem))


class _Walk:
    """Along one stream."""

    def __init__(self, reader: Reader, stream: str, days: Mapping[Stream, int], report: Report) -> None:
        self._reader = reader
        self._stream = stream
        self._kept_since = utc_now() - timedelta(days=days.get(Stream(stream), 0) if stream in set(Stream) else 0)
        self._report = report

    async def run(self) -> None:
        last = await self._reader.first(_last_seq, of_stream=self._stream) or 0  # first, because the segments grow
        segments = await self._reader.all(_segments_of, of_stream=self._stream)
        self._check_segments(segments)
        end = segments[-1].last_seq if segments else 0
        # What comes before was dropped, and may not all be deleted yet.
        kept_from = next((each.first_seq for each in segments if each.dropped_at is None), end + 1)
        starts = {each.first_seq: each.previous_hash for each in segments}
        ends = {each.last_seq: each.last_hash for each in segments}
        previous, expected = None, 1
        async for row in self._rows():
            if row.seq < 1 or end < row.seq <= last:
                self._found("added: no segment has it", row.segment, row.seq)
                continue
            if row.seq > end:
                break
            if row.seq > expected:
                self._missing(max(expected, kept_from), row.seq - 1)
                previous = None
            previous = starts.get(row.seq, previous)
            if previous is not None and digest_of(previous, row, self._stream, row.segment, row.seq) != row.hash:
                self._found("changed: it, or the hash of the one before", row.segment, row.seq)
            if ends.get(row.seq, row.hash) != row.hash:
                self._found("changed: its segment ends with another hash", row.segment, row.seq)
            previous, expected = row.hash, row.seq + 1
            self._report.events += row.seq >= kept_from
        self._missing(max(expected, kept_from), end)

    def _check_segments(self, segments: list[SegmentRow]) -> None:
        number, seq, previous = 1, 1, GENESIS
        for each in segments:
            if (each.number, each.first_seq, each.previous_hash) != (number, seq, previous):
                self._found("changed or missing: the segment does not follow the one before", each.number, None)
            if each.dropped_at is not None and max(each.started_at, each.ended_at) > self._kept_since:
                self._found("missing: the segment was dropped before its time", each.number, None)
            number, seq, previous = each.number + 1, each.last_seq + 1, each.last_hash
        self._report.segments += len(segments)
        self._report.dropped += sum(each.dropped_at is not None for each in segments)
        if segments:
            self._report.heads.append(Head(self._stream, seq - 1, previous.hex()))

    async def _rows(self) -> AsyncIterator[ChainedEvent]:
        after, size = _BEFORE_ALL, _PAGE
        while size == _PAGE:
            page = await self._reader.all(_page, of_stream=self._stream, after=after)
            for row in page:
                yield row
            size, after = len(page), page[-1].seq if page else after

    def _missing(self, first: int, last: int) -> None:
        if first <= last:
            self._found(f"missing: {first} to {last}" if first < last else "missing", None, first)

    def _found(self, problem: str, segment: int | None, seq: int | None) -> None:
        self._report.add(Finding(self._stream, segment, seq, problem))
