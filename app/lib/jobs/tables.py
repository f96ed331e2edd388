"""The two tables of the queue. Every instant in them is the database's own."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, CheckConstraint, ColumnElement, Index, Integer, String, Text, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base
from app.lib.db.instants import database_now, database_now_plus
from app.lib.jobs.declaration import MAX_KEY_LENGTH, MAX_NAME_LENGTH, MAX_OWNER_LENGTH
from app.lib.observability.tracing import MAX_CONTEXT_LENGTH

MAX_ERROR_LENGTH = 1000
MAX_REQUEST_ID_LENGTH = 64


class JobStatus(StrEnum):
    """``failed``: out of attempts, or given up; kept until an operator retries it or its retention is over."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


def in_status(status: JobStatus) -> ColumnElement[bool]:
    """As a literal: with a bound value neither database would know that a partial index serves."""
    return QueuedJob.status == literal_column(f"'{status.value}'")


def due_after(seconds: float | BindParameter[float]) -> dict[str, Any]:
    """What an UPDATE sets when a job comes to wait; seconds after the statement began, by the database."""
    return {**_changed(JobStatus.PENDING), "run_at": database_now_plus(seconds), "claim": None}


def finished(status: JobStatus) -> dict[str, Any]:
    """What an UPDATE sets when a job is over and its retention begins."""
    return {**_changed(status), "finished_at": database_now(), "claim": None}


def _changed(status: JobStatus) -> dict[str, Any]:
    return {"status": status.value, "version": QueuedJob.version + 1}


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


class QueuedJob(Base):
    """One job, from its enqueueing until its retention is over.

    ``owner`` is whose share of the places it takes. ``claim`` is the id of the worker that runs it, and ``beats``
    counts that worker's signs of life since: no heartbeat is compared with a clock. ``losses`` counts workers that were
    lost with it. ``version`` counts all changes but signs of life.
    """

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_NAME_LENGTH))
    key: Mapped[str | None] = mapped_column(String(MAX_KEY_LENGTH))
    owner: Mapped[str | None] = mapped_column(String(MAX_OWNER_LENGTH))
    payload: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer)
    losses: Mapped[int] = mapped_column(Integer)
    run_at: Mapped[datetime]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    claim: Mapped[UUID | None]
    beats: Mapped[int] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    worker: Mapped[str | None] = mapped_column(String(100))
    request_id: Mapped[str | None] = mapped_column(String(MAX_REQUEST_ID_LENGTH))
    trace_context: Mapped[str | None] = mapped_column(String(MAX_CONTEXT_LENGTH))
    error_kind: Mapped[str | None] = mapped_column(String(100))
    error: Mapped[str | None] = mapped_column(String(MAX_ERROR_LENGTH))

    __table_args__ = (
        CheckConstraint("status IN ('pending', 'running', 'succeeded', 'failed', 'cancelled')", name="status"),
        Index("ix_jobs_pending", "run_at", "id", **_where("status = 'pending'")),
        Index("ix_jobs_pending_name", "name", "run_at", **_where("status = 'pending'")),
        Index("ix_jobs_running", "name", "id", **_where("status = 'running'")),
        Index("ix_jobs_failed", "name", "id", **_where("status = 'failed'")),
        Index(
            "ix_jobs_live_key",
            "name",
            "key",
            unique=True,
            **_where("key IS NOT NULL AND status IN ('pending', 'running')"),
        ),
        Index("ix_jobs_finished_at", "finished_at", **_where("finished_at IS NOT NULL")),
        Index(None, "created_at", "id"),
        Index(None, "name", "created_at", "id"),
    )


class JobSchedule(Base):
    """When a scheduled job is enqueued next: in the transaction that moves ``next_at`` on."""

    __tablename__ = "job_schedules"

    name: Mapped[str] = mapped_column(String(MAX_NAME_LENGTH), primary_key=True)
    spec: Mapped[str] = mapped_column(String(100))
    next_at: Mapped[datetime]
    last_at: Mapped[datetime | None]
