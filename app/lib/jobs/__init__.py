"""Work that happens after the commit, at least once, even if a process crashes: a queue in the service's own database.

A domain declares a job with :func:`job`, exports it in ``Domain(jobs=…)``, and enqueues it in a unit of work with
:func:`enqueue`. No code outside of this package knows how it is kept; ``docs/decisions/0009-a-queue-of-our-own.md``.
"""

from app.lib.jobs.declaration import (
    ONCE,
    GiveUp,
    Job,
    JobContext,
    NoPayload,
    Postpone,
    Retry,
    RetryLater,
    job,
    registry_of,
)
from app.lib.jobs.enqueue import enqueue, enqueue_many, run_now
from app.lib.jobs.schedules import Cron, Every
from app.lib.jobs.tables import JobStatus

__all__ = [
    "ONCE",
    "Cron",
    "Every",
    "GiveUp",
    "Job",
    "JobContext",
    "JobStatus",
    "NoPayload",
    "Postpone",
    "Retry",
    "RetryLater",
    "enqueue",
    "enqueue_many",
    "job",
    "registry_of",
    "run_now",
]
