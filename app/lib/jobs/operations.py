"""What operators do to jobs: run a failed one again, cancel one, remove old ones."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, update

from app.lib.db.base import table_of
from app.lib.db.instants import database_now_plus
from app.lib.db.prepared import prepare
from app.lib.db.statements import delete_batch, in_batch
from app.lib.db.uow import UnitOfWork
from app.lib.jobs.enqueue import wake_workers
from app.lib.jobs.tables import JobStatus, QueuedJob, due_after, finished, in_status

RETRYABLE = (JobStatus.FAILED, JobStatus.CANCELLED)
CANCELLABLE = (JobStatus.PENDING, JobStatus.RUNNING)
FINISHED = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)

_jobs = table_of(QueuedJob)
_c = _jobs.c


class JobOperations:
    """In one unit of work. Methods that name a job return whether it was in a state that allows it."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit

    async def retry(self, job_id: UUID) -> bool:
        """Makes a failed or cancelled job due now, with all its attempts. Not while its key is taken by another."""
        return await self._retry(_c.id == job_id) == 1

    async def retry_failed(self, name: str | None = None) -> int:
        """The same for a batch of all failed jobs, or of those of one name. Returns its size."""
        conditions = [in_status(JobStatus.FAILED)]
        if name is not None:
            conditions.append(_c.name == name)
        return await self._retry(*conditions)

    async def cancel(self, job_id: UUID) -> bool:
        """A job that waits will not run. One that runs is interrupted by its worker at its next sign of life."""
        return await self._change([_c.id == job_id, _one_of(CANCELLABLE)], **finished(JobStatus.CANCELLED)) == 1

    async def purge(self, statuses: Collection[JobStatus], older_than_seconds: float) -> int:
        """Deletes a batch of jobs that were finished longer ago than that. Returns their number."""
        is_old = _c.finished_at < database_now_plus(-older_than_seconds)
        return await self.unit.execute(prepare(delete_batch(_jobs, is_old, _one_of(statuses))))

    async def _retry(self, *conditions: ColumnElement[bool]) -> int:
        other = _jobs.alias("other")
        live = (other.c.status.in_(CANCELLABLE), other.c.key == _c.key, other.c.name == _c.name)
        taken = select(other.c.id).where(*live).exists()
        self.unit.after_commit(wake_workers)
        retryable = in_batch(_jobs, *conditions, _one_of(RETRYABLE), or_(_c.key.is_(None), ~taken))
        return await self._change([retryable], **due_after(0), attempts=0, losses=0, finished_at=None)

    async def _change(self, conditions: Collection[ColumnElement[bool]], **values: Any) -> int:
        return await self.unit.execute(prepare(update(_jobs).where(*conditions).values(**values)))


def _one_of(statuses: Collection[JobStatus]) -> ColumnElement[bool]:
    return or_(*(in_status(status) for status in statuses))
