"""Enqueueing: a row in the caller's own transaction, and a nudge to this process's worker after its commit."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Float, bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import get_contextvars

from app.lib.db.base import new_id, table_of
from app.lib.db.instants import database_now
from app.lib.db.statements import NewRow, affected, insert_into
from app.lib.db.uow import UnitOfWork
from app.lib.jobs.declaration import MAX_KEY_LENGTH, Job
from app.lib.jobs.states import due_after
from app.lib.jobs.tables import MAX_REQUEST_ID_LENGTH, JobStatus, QueuedJob, in_status

P = TypeVar("P", bound=msgspec.Struct)

_BATCH = 500

_jobs = table_of(QueuedJob)
_NEW: dict[str, Any] = {
    "status": JobStatus.PENDING.value,
    "attempts": 0,
    "losses": 0,
    "beats": 0,
}
_NOW = ("run_at", "planned_at", "created_at")


WAKE: set[Callable[[], None]] = set()
"""What wakes the workers of this process."""


def wake_workers() -> None:
    """To be called after a commit that has made a job due."""
    for wake in tuple(WAKE):
        wake()


async def enqueue(
    unit: UnitOfWork, declared: Job[P], payload: P, *, delay: float = 0.0, key: str | None = None
) -> UUID | None:
    """Adds a job to the unit's transaction and returns its id. It runs ``delay`` seconds after that is committed.

    With a ``key`` (or the one that the job makes of its payload) nothing is added while a job of the same name and
    key waits or runs, and None is returned. The job takes over the request id of whoever enqueues it.
    """
    row = _row(declared, payload, key)
    unit.after_commit(wake_workers)
    return row["id"] if await _insert(unit.session, [row], delay) else None


async def enqueue_many(unit: UnitOfWork, declared: Job[P], payloads: Iterable[P], *, delay: float = 0.0) -> int:
    """Like :func:`enqueue` for each payload, in a few statements. Returns how many rows were sent.

    Those whose key is taken are left out silently, and counted all the same.
    """
    rows = [_row(declared, payload, None) for payload in payloads]
    rows.sort(key=lambda row: row["key"] or "")  # two that want the same keys must not wait for each other in a circle
    for start in range(0, len(rows), _BATCH):
        await _insert(unit.session, rows[start : start + _BATCH], delay)
    unit.after_commit(wake_workers)
    return len(rows)


def new_job(unit: UnitOfWork, declared: Job[P], payload: P) -> NewRow:
    """Like :func:`enqueue` without key and delay, but the row is left to the caller, who inserts it with others."""
    unit.after_commit(wake_workers)
    return NewRow(_jobs, {**_row(declared, payload, None), **_NEW}, now=_NOW)


async def hasten(unit: UnitOfWork, declared: Job[Any], key: str) -> bool:
    """Makes a job that waits under this key due at once. False when none waits: none is there, or it runs."""
    result = await unit.session.execute(
        update(_jobs)
        .where(in_status(JobStatus.PENDING), _jobs.c.name == declared.name, _jobs.c.key == key)
        .values(**due_after(0))
    )
    unit.after_commit(wake_workers)
    return affected(result) == 1


def _row(declared: Job[P], payload: P, key: str | None) -> dict[str, Any]:
    if not isinstance(payload, declared.payload_type):
        raise TypeError(f"{declared.name} takes a {declared.payload_type.__name__}, not a {type(payload).__name__}")
    if key is None and declared.key is not None:
        key = declared.key(payload)
    if key is not None and len(key) > MAX_KEY_LENGTH:
        raise ValueError(f"the key of a job has at most {MAX_KEY_LENGTH} characters")
    job_id = new_id()
    request_id = get_contextvars().get("request_id") or str(job_id)
    return {
        "id": job_id,
        "name": declared.name,
        "key": key,
        "payload": msgspec.json.encode(payload).decode(),
        "request_id": request_id[:MAX_REQUEST_ID_LENGTH],
    }


async def _insert(session: AsyncSession, rows: list[dict[str, Any]], delay: float) -> bool:
    values = _NEW | due_after(bindparam("delay", type_=Float()))
    statement = insert_into(session, _jobs).values(**values, created_at=database_now())
    if any(row["key"] is not None for row in rows):
        statement = statement.on_conflict_do_nothing()
    parameters = [{**row, "delay": delay} for row in rows]
    # The number of rows is only known of a statement that is not executed for many.
    result = await session.execute(statement, parameters if len(rows) > 1 else parameters[0])
    return affected(result) != 0
