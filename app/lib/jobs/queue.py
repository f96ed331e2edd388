"""The statements of the queue: claiming, signs of life, outcomes, and what a lost worker or a wrong clock leaves.

Each class works in the session it is given; who commits is the caller's business.
"""

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Float, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.base import table_of
from app.lib.db.instants import database_now, database_now_plus
from app.lib.db.statements import affected
from app.lib.jobs.states import due_after, finished
from app.lib.jobs.tables import MAX_ERROR_LENGTH, JobStatus, QueuedJob, in_status

MAX_LOSSES = 5
"""A job whose workers go away this often probably makes them go."""

CLOCK_TOLERANCE = 2.0
"""Seconds that an instant of the past may lie ahead before the clock counts as set back."""

_BATCH = 100

_jobs = table_of(QueuedJob)
_c = _jobs.c


class ClaimedJob(msgspec.Struct, frozen=True):
    """A job that is ours to run, under this claim."""

    id: UUID
    claim: UUID
    name: str
    payload: str
    attempts: int
    request_id: str | None

    @property
    def handle(self) -> "Handle":
        return self.id, self.claim


Handle = tuple[UUID, UUID]
"""Id and claim: one running of one job."""


class Ending(StrEnum):
    """How an attempt ended. ``handed_back`` is no attempt at all: the worker had to go."""

    DONE = "done"
    RETRY = "retry"
    DEAD = "dead"
    HANDED_BACK = "handed_back"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written about an attempt."""

    handle: Handle
    ending: Ending
    wait_seconds: float = 0.0
    error_kind: str | None = None
    error: str | None = None


class RunningRow(msgspec.Struct, frozen=True):
    """A job that somebody runs, and the signs of life it has given."""

    id: UUID
    claim: UUID
    beats: int


class JobQueue:
    """The queue, in one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def claim(self, names: Collection[str], limit: int, *, claim: UUID, worker: str) -> list[ClaimedJob]:
        """Takes up to ``limit`` jobs that are due, those first that have been due for longest. Two workers never get
        the same one: on PostgreSQL each skips what the other has locked, on SQLite one writes at a time.
        """
        due = (
            select(_c.id)
            .where(in_status(JobStatus.PENDING), _c.run_at <= database_now(), _c.name.in_(list(names)))
            .order_by(_c.run_at, _c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        rows = await self._session.execute(
            update(_jobs)
            .where(_c.id.in_(select(due.c.id)))
            .values(
                status=JobStatus.RUNNING.value,
                claim=claim,
                worker=worker,
                beats=0,
                attempts=_c.attempts + 1,
                started_at=database_now(),
            )
            .returning(*(_c[name] for name in ClaimedJob.__struct_fields__))
        )
        return sorted((ClaimedJob(*row) for row in rows), key=lambda each: each.id)

    async def beat(self, claims: Collection[UUID]) -> set[Handle]:
        """A sign of life for everything under these claims. Returns what is still ours; the rest was taken back or
        cancelled, and its result will not count.
        """
        rows = await self._session.execute(
            update(_jobs)
            .where(in_status(JobStatus.RUNNING), _c.claim.in_(list(claims)))
            .values(beats=_c.beats + 1)
            .returning(_c.id, _c.claim)
        )
        return {(row[0], row[1]) for row in rows}

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Writes how attempts ended; not for jobs that are not ours any more."""
        done = [each.handle for each in outcomes if each.ending is Ending.DONE]
        if done:
            await self._session.execute(update(_jobs).where(_held(done)).values(**finished(JobStatus.DONE)))
        for each in outcomes:
            if each.ending is not Ending.DONE:
                await self._session.execute(update(_jobs).where(_held([each.handle])).values(**_values_of(each)))

    async def take_back(self, rows: Iterable[RunningRow]) -> tuple[list[RunningRow], list[RunningRow]]:
        """Makes what a lost worker left behind pending again, unless there was a sign of life meanwhile.

        Returns what was taken back and, of those, what is dead because it has lost too many workers.
        """
        taken: list[RunningRow] = []
        dead: list[RunningRow] = []
        for row in rows:
            still = (_held([(row.id, row.claim)]), _c.beats == row.beats)
            last = (*still, _c.losses >= MAX_LOSSES - 1)
            lost = {"losses": _c.losses + 1, "error_kind": "WorkerLost", "error": "Its worker went away."}
            if await self._change(last, {**finished(JobStatus.DEAD), **lost}):
                taken.append(row)
                dead.append(row)
            elif await self._change(still, {**due_after(0), **lost, "attempts": _c.attempts - 1}):
                taken.append(row)
        return taken, dead

    async def realign(self) -> int:
        """Plans anew what was planned by a clock that was ahead of the present one. Returns how many jobs that were.

        What was due at once is due now, and what was to wait waits its time from now on.
        """
        ahead = (in_status(JobStatus.PENDING), *_planned_ahead())
        count = await self._change((*ahead, _c.run_at <= _c.planned_at), due_after(0))
        waiting = select(_c.id, _c.run_at, _c.planned_at).where(*ahead).limit(_BATCH)
        while rows := (await self._session.execute(waiting)).all():
            statement = (
                update(_jobs)
                .where(_c.id == bindparam("job_id"), *ahead)
                .values(run_at=database_now_plus(bindparam("wait", type_=Float())), planned_at=database_now())
            )
            parameters = [{"job_id": row.id, "wait": (row.run_at - row.planned_at).total_seconds()} for row in rows]
            await self._session.execute(statement, parameters)
            count += len(rows)
        return count

    async def _change(self, conditions: Iterable[ColumnElement[bool]], values: dict[str, Any]) -> int:
        result = await self._session.execute(update(_jobs).where(*conditions).values(**values))
        return affected(result)


def _planned_ahead() -> tuple[ColumnElement[bool], ...]:
    """Planned later than now. ``run_at`` never lies before ``planned_at``, and it has the index."""
    limit = database_now_plus(CLOCK_TOLERANCE)
    return _c.run_at > limit, _c.planned_at > limit


def anything_planned_ahead() -> ColumnElement[bool]:
    """For a select: whether :meth:`JobQueue.realign` has something to do."""
    return select(_c.id).where(in_status(JobStatus.PENDING), *_planned_ahead()).exists()


def anything_due(names: Collection[str]) -> ColumnElement[bool]:
    """For a select: whether :meth:`JobQueue.claim` would get something."""
    due = (in_status(JobStatus.PENDING), _c.run_at <= database_now(), _c.name.in_(list(names)))
    return select(_c.id).where(*due).exists()


def _held(handles: Collection[Handle]) -> ColumnElement[bool]:
    ids, claims = {job_id for job_id, _ in handles}, {claim for _, claim in handles}
    return in_status(JobStatus.RUNNING) & _c.id.in_(ids) & _c.claim.in_(claims)


def _values_of(outcome: Outcome) -> dict[str, Any]:
    if outcome.ending is Ending.HANDED_BACK:
        return {**due_after(0), "attempts": _c.attempts - 1}
    error = {"error_kind": outcome.error_kind, "error": (outcome.error or "")[:MAX_ERROR_LENGTH]}
    if outcome.ending is Ending.DEAD:
        return {**finished(JobStatus.DEAD), **error}
    return {**due_after(outcome.wait_seconds), **error}
