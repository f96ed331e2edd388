"""Jobs that a test runs itself, without a worker."""

from typing import Any
from uuid import UUID

from litestar import Litestar

from app.lib.db.base import new_id
from app.lib.jobs import JobContext
from tests.support.apps import core_of


async def run_job(app: Litestar, name: str, payload: Any = None, job_id: UUID | None = None) -> None:
    """One attempt of a job."""
    core = core_of(app)
    declared = core.jobs[name]
    context = JobContext(
        job_id=job_id or new_id(),
        name=name,
        attempt=1,
        is_last_attempt=False,
        request_id=None,
        database=core_of(app).database,
        services=core.services,
    )
    await declared.run(declared.payload_type() if payload is None else payload, context)
