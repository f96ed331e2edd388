"""What an UPDATE or INSERT sets when a job comes to wait, and when it is over."""

from typing import Any

from sqlalchemy import BindParameter

from app.lib.db.instants import database_now, database_now_plus
from app.lib.jobs.tables import JobStatus


def due_after(seconds: float | BindParameter[float]) -> dict[str, Any]:
    """It waits, and is due that many seconds after the statement began by the database's clock."""
    return {
        "status": JobStatus.PENDING.value,
        "run_at": database_now_plus(seconds),
        "planned_at": database_now(),
        "claim": None,
    }


def finished(status: JobStatus) -> dict[str, Any]:
    """It is nobody's any more; its retention begins."""
    return {"status": status.value, "finished_at": database_now(), "claim": None}
