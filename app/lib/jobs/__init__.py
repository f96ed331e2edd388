"""Work that happens after the commit, at least once, whatever crashes: a queue in the service's own database.

A domain declares a job with :func:`job`, exports it in ``Domain(jobs=…)``, and enqueues it in a unit of work with
:func:`enqueue`. Nobody outside this package knows how it is kept; ``docs/decisions/0009-a-queue-of-our-own.md``.
"""

from app.lib.jobs.context import JobContext, Services
from app.lib.jobs.declaration import ONCE, GiveUp, Job, Nothing, Retry, RetryLater, job, registry_of
from app.lib.jobs.enqueue import enqueue, enqueue_many, hasten, new_job
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
    "Nothing",
    "Retry",
    "RetryLater",
    "Services",
    "enqueue",
    "enqueue_many",
    "hasten",
    "job",
    "new_job",
    "registry_of",
]
