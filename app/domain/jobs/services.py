from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.domain.jobs.dtos import JobDetail, JobPage
from app.domain.jobs.errors import JobNotCancellable, JobNotFound, JobNotRetryable
from app.domain.jobs.repositories import JOB_SORTS, JobReads, JobRepository
from app.lib.audit import Origin, record
from app.lib.db.uow import UnitOfWork
from app.lib.errors import InvalidState
from app.lib.jobs.operations import JobOperations
from app.lib.pagination.parameters import PageRequest

JOB_SORT_KEYS = tuple(key.name for key in JOB_SORTS)


class JobQueries:
    """What is shown of jobs; reads only, without a transaction."""

    def __init__(self, reads: JobReads) -> None:
        self._reads = reads

    async def list_jobs(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> JobPage:
        return await self._reads.list_jobs(paging, sort, filters)

    async def get_job(self, job_id: UUID) -> JobDetail:
        """Raises ``JobNotFound``."""
        if (job := await self._reads.find_job(job_id)) is None:
            raise JobNotFound
        return job


class JobService:
    """What operators do to a job, audited."""

    def __init__(self, unit: UnitOfWork, origin: Origin) -> None:
        self.unit = unit
        self._origin = origin
        self._repository = JobRepository(unit)
        self._operations = JobOperations(unit)

    async def retry(self, job_id: UUID) -> JobDetail:
        """Raises ``JobNotFound`` and ``JobNotRetryable``."""
        done = await self._operations.retry(job_id)
        return await self._changed(job_id, "job.retried", None if done else JobNotRetryable())

    async def cancel(self, job_id: UUID) -> JobDetail:
        """Raises ``JobNotFound`` and ``JobNotCancellable``."""
        done = await self._operations.cancel(job_id)
        return await self._changed(job_id, "job.cancelled", None if done else JobNotCancellable())

    async def _changed(self, job_id: UUID, what: str, refusal: InvalidState | None) -> JobDetail:
        job = await self._repository.find(job_id)
        if job is None:
            raise JobNotFound
        if refusal is not None:
            raise refusal
        await record(self.unit, what, self._origin, subject_id=job_id, job=job.kind)
        return job
