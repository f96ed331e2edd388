"""Every statement about jobs, schedules and events as operators see them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Dialect,
    Float,
    Text,
    TypeDecorator,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    type_coerce,
)

from app.domain.jobs.dtos import EventRow, EventSummary, JobDetail, JobPage, JobRead, ScheduleRead
from app.lib.db.base import table_of
from app.lib.db.instants import database_now_plus
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.statements import delete_batch
from app.lib.events.positions import settled_position
from app.lib.events.tables import StoredEvent
from app.lib.jobs.tables import JobSchedule, QueuedJob
from app.lib.pagination.envelope import Page
from app.lib.pagination.filters import Filter, after, between, equals
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
LOCK_JOB = prepare(select(QueuedJob.version).where(QueuedJob.id == bindparam("job_id")).with_for_update(), int)
SCHEDULES = prepare(select(*columns_of(ScheduleRead, JobSchedule)).order_by(JobSchedule.name), ScheduleRead)
_latest_events = (
    select(*columns_of(EventSummary, StoredEvent))
    .order_by(StoredEvent.position.desc(), StoredEvent.id.desc())
    .limit(bindparam("limit"))
)
EVENTS = prepare(_latest_events, EventSummary)
EVENTS_OF_KIND = prepare(_latest_events.where(StoredEvent.kind == bindparam("kind")), EventSummary)
_event_table = table_of(StoredEvent)
_is_old = _event_table.c.created_at < database_now_plus(bindparam("age", type_=Float()))
PURGE_EVENTS = prepare(delete_batch(_event_table, _is_old))
"""Removes some old events with their deliveries. ``age`` is in seconds, and negative."""


def _since(binds: Sequence[BindParameter[Any]]) -> ColumnElement[bool]:
    """From the first instant on; the walk begins at the position of the first event since the second one."""
    events = _event_table.alias("earlier")
    first = select(events.c.position).where(events.c.created_at >= binds[-1])
    first = first.order_by(events.c.created_at, events.c.id).limit(1)
    begins = StoredEvent.position >= func.coalesce(first.scalar_subquery(), 2**63 - 1)
    return and_(StoredEvent.created_at >= binds[0], begins)


def event_list(kinds: Iterable[str]) -> ListQuery[Page[EventRow]]:
    """Events of these kinds. They are no filter, so that cursors stay good when there are more."""
    kind = StoredEvent.kind.concat("")  # no index serves several kinds in one order, so they are no reason to take one
    shown = kind.in_([literal_column(f"'{each}'") for each in kinds])
    return ListQuery(
        "events",
        Page[EventRow],
        select(*columns_of(EventRow, StoredEvent)).where(shown, StoredEvent.position < settled_position()),
        identity=StoredEvent.id,
        sorts=(SortKey("position", StoredEvent.position, int),),
        default_sort="position",
        filters=(
            Filter(
                "kind",
                StoredEvent.kind.type,
                lambda binds: StoredEvent.kind == binds[0] if len(binds) == 1 else kind.in_(binds),
                repeatable=True,
            ),
            replace(after("since", StoredEvent.created_at), clause=_since, repeatable=True),
        ),
        is_feed=True,
    )


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
