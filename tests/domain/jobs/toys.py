"""Jobs in an app's queue, in every state."""

from typing import Any
from uuid import UUID

from litestar import Litestar
from sqlalchemy import update

from app.core import Core
from app.domain.jobs.jobs import purge_jobs
from app.lib.jobs import JobContext, NoPayload, enqueue, job
from app.lib.jobs.tables import QueuedJob
from tests.lib.jobs.bench import Note
from tests.support.apps import core_of


@job("test.note", Note)
async def take_note(_note: Note, _context: JobContext) -> None: ...


async def put(owner: Litestar | Core, text: str = "", *, key: str | None = None, **values: Any) -> UUID:
    """A job with these columns."""
    database = core_of(owner).database
    async with database.independent() as unit:
        job_id = await enqueue(unit, take_note, Note(text), key=key)
        assert job_id is not None
        if values:
            await unit.session.execute(update(QueuedJob).where(QueuedJob.id == job_id).values(**values))
    return job_id


async def put_purge(app: Litestar) -> None:
    async with core_of(app).database.independent() as unit:
        await enqueue(unit, purge_jobs, NoPayload())
