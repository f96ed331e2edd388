"""Every statement about jobs, schedules and events as operators see them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Dialect, Float, Text, TypeDecorator, bindparam, select, type_coerce

from app.domain.jobs.dtos import EventRead, JobDetail, JobPage, JobRead, ScheduleRead
from app.lib.db.base import table_of
from app.lib.db.instants import database_now_plus
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.reader import Reader
from app.lib.db.repositories import Repository
from app.lib.db.statements import delete_batch
from app.lib.events.tables import StoredEvent
from app.lib.jobs.tables import JobSchedule, QueuedJob
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.filters import after, before, equals
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey


class _ParsedJSON(TypeDecorator[Any]):
    """JSON in a column of text."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return msgspec.json.decode(value)


_job_by_id = prepare(
    select(
        *columns_of(JobDetail, QueuedJob, kind=QueuedJob.name, payload=type_coerce(QueuedJob.payload, _ParsedJSON()))
    ).where(QueuedJob.id == bindparam("job_id")),
    JobDetail,
)
_all_schedules = prepare(select(*columns_of(ScheduleRead, JobSchedule)).order_by(JobSchedule.name), ScheduleRead)
_latest_events = select(*columns_of(EventRead, StoredEvent)).order_by(StoredEvent.id.desc()).limit(bindparam("limit"))
_events = prepare(_latest_events, EventRead)
_events_of_kind = prepare(_latest_events.where(StoredEvent.kind == bindparam("kind")), EventRead)
_event_table = table_of(StoredEvent)
_is_old = _event_table.c.created_at < database_now_plus(bindparam("age", type_=Float()))
_purge_events = prepare(delete_batch(_event_table, _is_old))

JOB_SORTS = (SortKey("created_at", QueuedJob.created_at, datetime),)

JOB_LIST = ListQuery(
    "jobs",
    JobPage,
    select(*columns_of(JobRead, QueuedJob, kind=QueuedJob.name)),
    identity=QueuedJob.id,
    sorts=JOB_SORTS,
    default_sort="-created_at",
    filters=(
        equals("kind", QueuedJob.name),
        equals("status", QueuedJob.status),
        after("created_after", QueuedJob.created_at),
        before("created_before", QueuedJob.created_at),
    ),
)


class JobReads:
    """Jobs, schedules and events as they are shown."""

    def __init__(self, reader: Reader, cursors: CursorCodec) -> None:
        self._reader = reader
        self._cursors = cursors

    async def list_jobs(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> JobPage:
        return await paginate(self._reader, JOB_LIST, paging, self._cursors, sort=sort, filters=filters)

    async def find_job(self, job_id: UUID) -> JobDetail | None:
        return await self._reader.first(_job_by_id, job_id=job_id)

    async def list_schedules(self) -> list[ScheduleRead]:
        return await self._reader.all(_all_schedules)

    async def list_events(self, kind: str | None, limit: int) -> list[EventRead]:
        """The newest first."""
        if kind is None:
            return await self._reader.all(_events, limit=limit)
        return await self._reader.all(_events_of_kind, kind=kind, limit=limit)


class JobRepository(Repository):
    async def find(self, job_id: UUID) -> JobDetail | None:
        """As this transaction has it."""
        return await self.unit.first(_job_by_id, job_id=job_id)

    async def purge_events(self, older_than_seconds: float) -> int:
        """Deletes a batch of old events with their deliveries. Returns their number."""
        return await self.unit.execute(_purge_events, age=-older_than_seconds)
