"""The queue in numbers: how deep it is, how late it is, how attempts end."""

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import ColumnElement, func, select

from app.lib.db.faults import DATABASE_ERRORS
from app.lib.db.instants import database_now
from app.lib.db.prepared import prepare
from app.lib.db.reader import Reader
from app.lib.jobs.tables import JobStatus, QueuedJob, in_status

FRESH_SECONDS = 5.0
_PATIENCE_SECONDS = 1.0
_MAX_COUNTED = 100_000

_ABSENT: tuple[type[Exception], ...] = (*DATABASE_ERRORS, TimeoutError)
_COUNTED = (JobStatus.PENDING, JobStatus.RUNNING, JobStatus.FAILED)


class _Depths(msgspec.Struct, frozen=True):
    pending: int
    running: int
    failed: int
    oldest: datetime | None
    now: datetime


def _count(status: JobStatus) -> ColumnElement[int]:
    """From a partial index, and no further than a queue that is in trouble anyway."""
    counted = select(QueuedJob.id).where(in_status(status)).limit(_MAX_COUNTED).subquery()
    return select(func.count()).select_from(counted).scalar_subquery()


_depths = prepare(
    select(
        *(_count(status).label(status.value) for status in _COUNTED),
        select(func.min(QueuedJob.run_at)).where(in_status(JobStatus.PENDING)).scalar_subquery().label("oldest"),
        database_now().label("now"),
    ),
    _Depths,
)


class JobGauges(Collector):
    """Read when metrics are scraped, at most every :data:`FRESH_SECONDS`, and never a reason for a scrape to fail:
    while the database is away there are no samples.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._depths: _Depths | None = None
        self._read_at = float("-inf")

    async def refresh(self) -> None:
        """Reads what :meth:`collect` returns. Does not fail."""
        now = time.monotonic()
        if now - self._read_at < FRESH_SECONDS:
            return
        self._read_at = now
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                self._depths = await self._reader.first(_depths)
        except _ABSENT:
            self._depths = None

    def collect(self) -> Iterable[Metric]:
        """Two gauges. Failed jobs are the failures that an operator has to look at."""
        depth = GaugeMetricFamily("jobs_depth", "Jobs that wait, run or have failed.", labels=["status"])
        late = GaugeMetricFamily("jobs_oldest_pending_seconds", "How long the oldest due job has been waiting.")
        if self._depths is not None:
            for status in _COUNTED:
                depth.add_metric([status.value], getattr(self._depths, status.value))
            oldest = self._depths.oldest
            late.add_metric([], max((self._depths.now - oldest).total_seconds(), 0.0) if oldest else 0.0)
        return depth, late


class AttemptMetrics:
    """Counts the attempts of this process's worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("job", "ending")
        self._count = Counter("jobs_attempts", "Attempts of jobs, by how they ended.", labels, registry=registry)
        self._seconds = Histogram("jobs_attempt_duration_seconds", "Time an attempt took.", ("job",), registry=registry)

    def observe(self, name: str, ending: str, seconds: float) -> None:
        """Counts one attempt."""
        self._count.labels(name, ending).inc()
        self._seconds.labels(name).observe(seconds)
