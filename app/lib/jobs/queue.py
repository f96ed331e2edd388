"""The statements of a worker: claiming, signs of life, outcomes, and what a lost worker leaves."""

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Float, bindparam, delete, not_, or_, select, update

from app.lib.db.base import table_of
from app.lib.db.instants import database_now
from app.lib.db.prepared import Prepared, prepare
from app.lib.db.statements import is_one_of
from app.lib.db.uow import UnitOfWork
from app.lib.jobs.tables import MAX_ERROR_LENGTH, JobStatus, QueuedJob, due_after, finished, in_status

MAX_LOSSES = 5
"""A job that loses this number of workers is probably the cause."""

_jobs = table_of(QueuedJob)
_c = _jobs.c


class ClaimedJob(msgspec.Struct, frozen=True):
    """A job that is ours to run."""

    id: UUID
    name: str
    payload: str
    attempts: int
    request_id: str | None
    trace_context: str | None
    owner: str | None


class Ending(StrEnum):
    """How an attempt ended. ``postponed`` is no attempt at all: the worker has to go, or the job's turn comes later.
    ``idle`` is a scheduled one that has found nothing to do.
    """

    SUCCEEDED = "succeeded"
    IDLE = "idle"
    RETRY = "retry"
    FAILED = "failed"
    POSTPONED = "postponed"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be written about an attempt."""

    job_id: UUID
    ending: Ending
    wait_seconds: float = 0.0
    error_kind: str | None = None
    error: str | None = None


class RunningRow(msgspec.Struct, frozen=True):
    """A job that a worker runs, and the number of signs of life it has given."""

    id: UUID
    claim: UUID
    beats: int


def due_jobs(names: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    """The conditions for jobs of these names that may be claimed."""
    return in_status(JobStatus.PENDING), _c.run_at <= database_now(), _c.name.in_(list(names))


def claim_of(names: Collection[str], *, by_owner: bool = False) -> Prepared[ClaimedJob]:
    """Takes up to ``limit`` jobs of these names, those first that have been due for longest. With
    ``by_owner`` none of those whose owner is in the :func:`json_list` ``busy``.

    Two workers never get the same one: on PostgreSQL each skips what the other has locked, on SQLite one writes at a
    time.
    """
    wanted = [or_(_c.owner.is_(None), not_(is_one_of(_c.owner, "busy")))] if by_owner else []
    due = (
        select(_c.id)
        .where(*due_jobs(names), *wanted)
        .order_by(_c.run_at, _c.id)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
        .cte("due")  # as a subquery PostgreSQL may run it for every row, and then there is no limit
    )
    claimed = (
        update(_jobs)
        .where(_c.id.in_(select(due.c.id)))
        .values(
            status=JobStatus.RUNNING.value,
            version=_c.version + 1,
            claim=bindparam("worker_id", type_=_c.claim.type),
            worker=bindparam("worker_name", type_=_c.worker.type),
            beats=0,
            attempts=_c.attempts + 1,
            started_at=database_now(),
        )
        .returning(*(_c[name] for name in ClaimedJob.__struct_fields__))
    )
    return prepare(claimed, ClaimedJob)


_ours = (in_status(JobStatus.RUNNING), _c.id == bindparam("job_id"), _c.claim == bindparam("worker_id"))
_wait = due_after(bindparam("wait", type_=Float()))
_error = {name: bindparam(f"new_{name}", type_=_c[name].type) for name in ("error_kind", "error")}
_lost = {"losses": _c.losses + 1, "error_kind": "WorkerLost", "error": "Its worker went away."}

_beat = prepare(
    update(_jobs)
    .where(in_status(JobStatus.RUNNING), _c.claim == bindparam("worker_id"))
    .values(beats=_c.beats + 1)
    .returning(_c.id),
    UUID,
)
_succeeded = prepare(update(_jobs).where(*_ours).values(**finished(JobStatus.SUCCEEDED)))
_idle = prepare(delete(_jobs).where(*_ours))
_failed = prepare(update(_jobs).where(*_ours).values(**finished(JobStatus.FAILED), **_error))
_retry = prepare(update(_jobs).where(*_ours).values(**_wait, **_error))
_postponed = prepare(update(_jobs).where(*_ours).values(**_wait, attempts=_c.attempts - 1))
_still = (*_ours, _c.beats == bindparam("seen_beats"))
_lost_at_last = prepare(
    update(_jobs).where(*_still, _c.losses >= MAX_LOSSES - 1).values(**finished(JobStatus.FAILED), **_lost)
)
_taken_back = prepare(update(_jobs).where(*_still).values(**due_after(0), **_lost, attempts=_c.attempts - 1))


async def beat(unit: UnitOfWork, worker_id: UUID) -> set[UUID]:
    """A sign of life for everything that the worker runs. Returns what is still its own: the rest was taken back or
    cancelled, and its result will not count.
    """
    return set(await unit.all(_beat, worker_id=worker_id))


async def settle(unit: UnitOfWork, worker_id: UUID, outcomes: Sequence[Outcome]) -> None:
    """Writes how attempts ended; not for jobs that are not the worker's any more."""
    for statement, ending in ((_succeeded, Ending.SUCCEEDED), (_idle, Ending.IDLE)):
        done = [each.job_id for each in outcomes if each.ending is ending]
        await unit.execute_many(statement, [{"job_id": job_id, "worker_id": worker_id} for job_id in done])
    for each in outcomes:
        values: dict[str, Any] = {"job_id": each.job_id, "worker_id": worker_id}
        error = {"new_error_kind": each.error_kind, "new_error": (each.error or "")[:MAX_ERROR_LENGTH]}
        if each.ending is Ending.FAILED:
            await unit.execute(_failed, **values, **error)
        elif each.ending is Ending.RETRY:
            await unit.execute(_retry, **values, **error, wait=each.wait_seconds)
        elif each.ending is Ending.POSTPONED:
            await unit.execute(_postponed, **values, wait=each.wait_seconds)


async def take_back(unit: UnitOfWork, rows: Iterable[RunningRow]) -> tuple[list[UUID], list[UUID]]:
    """Makes what a lost worker left behind pending again, unless there was a sign of life in the meantime.

    Returns what was taken back and, of those, what has failed because it has lost too many workers.
    """
    taken: list[UUID] = []
    failed: list[UUID] = []
    for row in rows:
        values = {"job_id": row.id, "worker_id": row.claim, "seen_beats": row.beats}
        if await unit.execute(_lost_at_last, **values):
            taken.append(row.id)
            failed.append(row.id)
        elif await unit.execute(_taken_back, **values):
            taken.append(row.id)
    return taken, failed
