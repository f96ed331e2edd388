"""Jobs that a test runs itself, without a worker."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Litestar
from sqlalchemy import select

from app.lib.db.base import new_id
from app.lib.jobs import JobContext
from app.lib.jobs.tables import QueuedJob
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


async def run_queued(app: Litestar, name: str) -> int:
    """One attempt of each job of this name that is in the queue. Returns how many there were."""
    async with core_of(app).database.independent() as unit:
        queued = (
            await unit.session.execute(select(QueuedJob.id, QueuedJob.payload).where(QueuedJob.name == name))
        ).all()
    for job_id, payload in queued:
        await run_job(app, name, msgspec.json.decode(payload, type=core_of(app).jobs[name].payload_type), job_id)
    return len(queued)
