"""The queue in numbers: how deep it is, how late it is, how attempts end."""

from collections.abc import Iterable

from prometheus_client import Counter, Histogram
from sqlalchemy import CTE, func, select

from app.lib.db.gauges import DatabaseGauge, Reading, count_up_to
from app.lib.db.instants import seconds_since
from app.lib.db.prepared import Prepared, prepare
from app.lib.jobs.tables import JobStatus, QueuedJob, in_status
from app.lib.observability.metrics import Metrics


def _names_of(status: JobStatus) -> CTE:
    """Each name that jobs of the status have, by one step through the index for each, however many jobs there are."""
    waiting = in_status(status)
    names = select(func.min(QueuedJob.name).label("name")).where(waiting).cte("names", recursive=True)
    following = select(func.min(QueuedJob.name)).where(waiting, QueuedJob.name > names.c.name).scalar_subquery()
    return names.union_all(select(following).where(names.c.name.is_not(None)))


def _depth_of(status: JobStatus) -> Prepared[Reading]:
    names = _names_of(status)
    key = QueuedJob.run_at if status is JobStatus.PENDING else QueuedJob.id
    count = count_up_to(key, in_status(status), QueuedJob.name == names.c.name, of=names)
    return prepare(select(names.c.name.label("label"), count.label("value")).where(names.c.name.is_not(None)), Reading)


def _oldest() -> Prepared[Reading]:
    names = _names_of(JobStatus.PENDING)
    first = select(func.min(QueuedJob.run_at)).where(in_status(JobStatus.PENDING), QueuedJob.name == names.c.name)
    age = seconds_since(first.correlate(names).scalar_subquery())
    return prepare(select(names.c.name.label("label"), age.label("value")).where(names.c.name.is_not(None)), Reading)


_DEPTHS = {
    JobStatus.PENDING: "Jobs that wait, those for a later time included.",
    JobStatus.RUNNING: "Jobs that run.",
    JobStatus.FAILED: "Jobs that have failed for good, and that an operator has to look at.",
}
_STATEMENTS = {status: _depth_of(status) for status in _DEPTHS}
_OLDEST = _oldest()


def job_gauges(names: Iterable[str]) -> list[DatabaseGauge]:
    """Those of the jobs of these names, and of others that are in the queue."""
    known = tuple(names)
    late = "How long the job that is due for longest has been waiting."
    return [
        *(DatabaseGauge(f"jobs_{each}", text, "kind", _STATEMENTS[each], known) for each, text in _DEPTHS.items()),
        DatabaseGauge("jobs_oldest_pending_seconds", late, "kind", _OLDEST, known),
    ]


class AttemptMetrics:
    """Counts the attempts of this process's worker."""

    def __init__(self, metrics: Metrics) -> None:
        text = "Time that attempts took."
        counts = Counter("jobs_attempts", "Attempts of jobs, by how they ended.", ("kind", "ending"), registry=None)
        self._count = metrics.count(counts)
        self._seconds = metrics.count(Histogram("jobs_attempt_duration_seconds", text, ("kind",), registry=None))

    def observe(self, name: str, ending: str, seconds: float) -> None:
        """Counts one attempt."""
        self._count.labels(name, ending).inc()
        self._seconds.labels(name).observe(seconds)
