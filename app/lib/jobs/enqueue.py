"""Enqueueing: a row in the caller's own transaction, and a nudge to this process's workers after its commit."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Float, bindparam, update
from structlog.contextvars import get_contextvars

from app.lib.db.base import new_id, table_of
from app.lib.db.instants import database_now
from app.lib.db.prepared import prepare
from app.lib.db.statements import insert_or_update
from app.lib.db.uow import UnitOfWork
from app.lib.jobs.declaration import MAX_KEY_LENGTH, Job
from app.lib.jobs.tables import MAX_REQUEST_ID_LENGTH, JobStatus, QueuedJob, due_after, in_status
from app.lib.observability.tracing import trace_context

P = TypeVar("P", bound=msgspec.Struct)

WAKE: set[Callable[[], None]] = set()
"""What wakes the workers of this process."""

_BATCH = 500

_GIVEN = ("id", "name", "key", "owner", "payload", "request_id", "trace_context")
_jobs = table_of(QueuedJob)
_insert = prepare(
    insert_or_update(_jobs)
    .values(
        **{name: bindparam(name, type_=_jobs.c[name].type) for name in _GIVEN},
        **due_after(bindparam("delay", type_=Float())) | {"version": 1},
        attempts=0,
        losses=0,
        beats=0,
        created_at=database_now(),
    )
    .on_conflict_do_nothing()
)
_run_now = prepare(
    update(_jobs)
    .where(in_status(JobStatus.PENDING), _jobs.c.name == bindparam("job_name"), _jobs.c.key == bindparam("job_key"))
    .values(**due_after(0))
)


def wake_workers() -> None:
    """To be called after a commit that has made a job due."""
    for wake in tuple(WAKE):
        wake()


async def enqueue(
    unit: UnitOfWork, declared: Job[P], payload: P, *, delay: float = 0.0, key: str | None = None
) -> UUID | None:
    """Adds a job to the unit's transaction and returns its id. It runs ``delay`` seconds after that is committed.

    With a ``key`` (or the one that the job makes of its payload) nothing is added while a job of the same name and
    key waits or runs, and None is returned. The job takes over request id and trace of the one that enqueues it.
    """
    row = _row(declared, payload, delay, key)
    unit.after_commit(wake_workers)
    job_id: UUID = row["id"]
    if row["key"] is None:
        await unit.insert(_insert, row)
        return job_id
    return job_id if await unit.execute(_insert, **row) else None


async def enqueue_many(unit: UnitOfWork, jobs: Iterable[tuple[Job[Any], msgspec.Struct]], *, delay: float = 0.0) -> int:
    """Like :func:`enqueue` for each job and payload, in a few round trips. Returns the number of rows that were sent.

    Those whose key is taken are left out silently, and counted all the same.
    """
    rows = [_row(declared, payload, delay, None) for declared, payload in jobs]
    rows.sort(key=lambda row: row["key"] or "")  # two that want the same keys must not wait for each other in a circle
    for start in range(0, len(rows), _BATCH):
        await unit.insert(_insert, *rows[start : start + _BATCH])
    unit.after_commit(wake_workers)
    return len(rows)


async def run_now(unit: UnitOfWork, declared: Job[Any], key: str) -> bool:
    """Makes a job that waits under this key due at once. False when none waits: there is none, or it runs."""
    unit.after_commit(wake_workers)
    return await unit.execute(_run_now, job_name=declared.name, job_key=key) == 1


def _row(declared: Job[Any], payload: msgspec.Struct, delay: float, key: str | None) -> dict[str, Any]:
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
        "owner": declared.owner(payload) if declared.owner is not None else None,
        "payload": msgspec.json.encode(payload).decode(),
        "request_id": request_id[:MAX_REQUEST_ID_LENGTH],
        "trace_context": trace_context(),
        "delay": delay,
    }
