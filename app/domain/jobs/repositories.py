"""Every statement about jobs, schedules and events as operators see them."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Dialect, Float, Text, TypeDecorator, bindparam, select, type_coerce

from app.domain.jobs.dtos import EventRead, JobDetail, JobPage, JobRead, ScheduleRead
from app.lib.db.base import table_of
from app.lib.db.instants import database_now_plus
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.statements import delete_batch
from app.lib.events.tables import StoredEvent
from app.lib.jobs.tables import JobSchedule, QueuedJob
from app.lib.pagination.filters import between, equals
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey


class _ParsedJSON(TypeDecorator[Any]):
    """JSON in a column of text."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return msgspec.json.decode(value)


JOB = prepare(
    select(
        *columns_of(JobDetail, QueuedJob, kind=QueuedJob.name, payload=type_coerce(QueuedJob.payload, _ParsedJSON()))
    ).where(QueuedJob.id == bindparam("job_id")),
    JobDetail,
)
SCHEDULES = prepare(select(*columns_of(ScheduleRead, JobSchedule)).order_by(JobSchedule.name), ScheduleRead)
_latest_events = select(*columns_of(EventRead, StoredEvent)).order_by(StoredEvent.id.desc()).limit(bindparam("limit"))
EVENTS = prepare(_latest_events, EventRead)
EVENTS_OF_KIND = prepare(_latest_events.where(StoredEvent.kind == bindparam("kind")), EventRead)
_event_table = table_of(StoredEvent)
_is_old = _event_table.c.created_at < database_now_plus(bindparam("age", type_=Float()))
PURGE_EVENTS = prepare(delete_batch(_event_table, _is_old))
"""Removes some old events with their deliveries. ``age`` is in seconds, and negative."""

JOB_LIST = ListQuery(
    "jobs",
    JobPage,
    select(*columns_of(JobRead, QueuedJob, kind=QueuedJob.name)),
    identity=QueuedJob.id,
    sorts=(SortKey("created_at", QueuedJob.created_at, datetime),),
    default_sort="-created_at",
    filters=(
        equals("kind", QueuedJob.name),
        equals("status", QueuedJob.status),
        *between("created", QueuedJob.created_at),
    ),
)
