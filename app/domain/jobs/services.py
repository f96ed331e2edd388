from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.domain.jobs.dtos import EventPage, EventRead, EventRow, EventSummary, JobDetail, JobPage, ScheduleRead
from app.domain.jobs.errors import JobNotCancellable, JobNotFound, JobNotRetryable
from app.domain.jobs.repositories import EVENTS, EVENTS_OF_KIND, JOB, JOB_LIST, LOCK_JOB, SCHEDULES, event_list
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.reader import Reader
from app.lib.db.repositories import ANY_VERSION
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import FieldCode, FieldError, InvalidState, ValidationFailed
from app.lib.jobs.operations import JobOperations
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.webhooks.kinds import WebhookKind
from app.lib.wire.dto import project

LONGEST_TRANSACTION = timedelta(minutes=10)
"""An event of a transaction that took so long may have an earlier position than events that have an earlier time."""
JOB_SORT = JOB_LIST.sort_parameter()


class EventFeed:
    """The events that are listed: those that webhooks have for holders of a permission, and not for a user alone."""

    def __init__(self, kinds: Iterable[WebhookKind]) -> None:
        self.kinds = {each.name: each for each in kinds if each.permission is not None}
        self.rows = event_list(self.kinds)


@dataclass
class JobQueries:
    """What is shown of jobs, schedules and events; reads only, without a transaction."""

    reader: Reader
    cursors: CursorCodec
    feed: EventFeed

    async def list_jobs(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> JobPage:
        return await paginate(self.reader, JOB_LIST, paging, self.cursors, sort=sort, filters=filters)

    async def get_job(self, job_id: UUID) -> JobDetail:
        """Raises ``JobNotFound``."""
        return await self.reader.one(JOB, JobNotFound, job_id=job_id)

    async def list_schedules(self) -> list[ScheduleRead]:
        return await self.reader.all(SCHEDULES)

    async def read_events(self, paging: PageRequest, since: datetime | None, kinds: Sequence[str] | None) -> EventPage:
        """In an order in which nothing ever comes before what was shown. Raises ``ValidationFailed``."""
        if {*(kinds or ())} - self.feed.kinds.keys():
            detail = f"Must be among: {', '.join(sorted(self.feed.kinds))}."
            raise ValidationFailed([FieldError(parameter="kind", code=FieldCode.INVALID_CHOICE, detail=detail)])
        filters: dict[str, Any] = {"kind": kinds}
        if since is not None:
            filters["since"] = [since, since - LONGEST_TRANSACTION if since.year > 1 else since]
        page = await paginate(self.reader, self.feed.rows, paging, self.cursors, filters=filters)
        return page.with_items(EventPage, [self._event_of(row) for row in page.items])

    def _event_of(self, row: EventRow) -> EventRead:
        kind = self.feed.kinds[row.kind]
        try:
            data = kind.payload_of(msgspec.json.decode(row.payload, type=kind.event)).data
        except msgspec.ValidationError:  # of an older version of this code
            data = {}
        return project(EventRead, row, data=data)

    async def list_events(self, kind: str | None, limit: int) -> list[EventSummary]:
        """The newest first."""
        if kind is None:
            return await self.reader.all(EVENTS, limit=limit)
        return await self.reader.all(EVENTS_OF_KIND, kind=kind, limit=limit)


@dataclass
class JobService:
    """What operators do to a job, audited."""

    unit: UnitOfWork
    origin: Origin
    operations: JobOperations

    async def retry(self, job_id: UUID, if_match: IfMatch = ANY_VERSION) -> JobDetail:
        """Raises ``JobNotFound``, ``PreconditionFailed`` and ``JobNotRetryable``."""
        await self._lock(job_id, if_match)
        done = await self.operations.retry(job_id)
        return await self._changed(job_id, "job.retried", None if done else JobNotRetryable())

    async def cancel(self, job_id: UUID, if_match: IfMatch = ANY_VERSION) -> JobDetail:
        """Raises ``JobNotFound``, ``PreconditionFailed`` and ``JobNotCancellable``."""
        await self._lock(job_id, if_match)
        done = await self.operations.cancel(job_id)
        return await self._changed(job_id, "job.cancelled", None if done else JobNotCancellable())

    async def _lock(self, job_id: UUID, if_match: IfMatch) -> None:
        if_match.check(await self.unit.one(LOCK_JOB, JobNotFound, job_id=job_id))

    async def _changed(self, job_id: UUID, what: str, refusal: InvalidState | None) -> JobDetail:
        job = await self.unit.one(JOB, JobNotFound, job_id=job_id)
        if refusal is not None:
            raise refusal
        await audit.record(self.unit, what, self.origin, subject_id=job_id, job=job.kind)
        return job
