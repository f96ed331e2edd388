from litestar.di import Provide

from app.domain.jobs.repositories import JobReads
from app.domain.jobs.services import JobQueries, JobService
from app.lib.audit import Origin
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.http.injection import Injected
from app.lib.pagination.cursor import CursorCodec


async def provide_job_queries(reader: Injected[Reader], cursors: Injected[CursorCodec]) -> JobQueries:
    return JobQueries(JobReads(reader, cursors))


async def provide_jobs(unit: Injected[UnitOfWork], origin: Injected[Origin]) -> JobService:
    return JobService(unit, origin)


PROVIDERS = {"job_queries": Provide(provide_job_queries), "jobs": Provide(provide_jobs)}
