from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller, get, post
from litestar.params import FromPath, QueryParameter
from msgspec import Meta

from app.domain.jobs.dtos import EventPage, JobDetail, JobPage
from app.domain.jobs.errors import JobNotCancellable, JobNotRetryable
from app.domain.jobs.permissions import EVENTS_READ, JOBS_MANAGE
from app.domain.jobs.services import JOB_SORT, JobQueries, JobService
from app.lib.http.injection import Injected, Paging, Precondition
from app.lib.jobs.tables import JobStatus
from app.lib.openapi.document import may_raise
from app.lib.openapi.examples import shows
from app.lib.pagination.parameters import After, Before
from app.lib.security.policies import permission, sees
from app.lib.wire.dto import StructDTO

Kinds = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=100), QueryParameter(min_length=1, max_length=100)]] | None,
    QueryParameter(name="kind", description="Of this kind; repeat for any of several.", max_items=20),
]
Statuses = Annotated[
    list[JobStatus] | None,
    QueryParameter(name="status", description="In this state; repeat for any of several.", max_items=5),
]

SEES_JOB = sees(JOBS_MANAGE)
MANAGES_JOB = permission(JOBS_MANAGE, sight=SEES_JOB)


class JobController(Controller):
    path = "/jobs"
    tags = ("Jobs",)
    return_dto = StructDTO[JobDetail]

    @get(
        guards=[permission(JOBS_MANAGE)],
        return_dto=StructDTO[JobPage],
        summary="List background jobs",
        description="Without their payloads, which may hold personal data.",
    )
    async def list_jobs(
        self,
        job_queries: Injected[JobQueries],
        paging: Paging,
        kind: Kinds = None,
        status: Statuses = None,
        created_after: After = None,
        created_before: Before = None,
        sort: Annotated[str | None, JOB_SORT] = None,
    ) -> JobPage:
        filters = {"kind": kind, "status": status, "created_after": created_after, "created_before": created_before}
        return await job_queries.list_jobs(paging, sort, filters)

    @get(
        "/{job_id:uuid}",
        guards=[SEES_JOB],
        summary="Get a background job",
        description="With its payload, which may hold personal data.",
    )
    async def get_job(self, job_id: FromPath[UUID], job_queries: Injected[JobQueries]) -> JobDetail:
        return await job_queries.get_job(job_id)

    @post(
        "/{job_id:uuid}/retry",
        guards=[MANAGES_JOB],
        status_code=200,
        summary="Retry a background job",
        description="Runs a failed or cancelled job again, with all its attempts.",
        opt=may_raise(JobNotRetryable),
    )
    async def retry_job(
        self, job_id: FromPath[UUID], job_service: Injected[JobService], if_match: Precondition
    ) -> JobDetail:
        return await job_service.retry(job_id, if_match)

    @post(
        "/{job_id:uuid}/cancel",
        guards=[MANAGES_JOB],
        status_code=200,
        summary="Cancel a background job",
        description="A running job is interrupted within seconds; what it has committed stays.",
        opt=may_raise(JobNotCancellable) | shows(200, status="cancelled", finished_at="2026-01-31T12:05:00Z"),
    )
    async def cancel_job(
        self, job_id: FromPath[UUID], job_service: Injected[JobService], if_match: Precondition
    ) -> JobDetail:
        return await job_service.cancel(job_id, if_match)


@get(
    "/events",
    guards=[permission(EVENTS_READ)],
    return_dto=StructDTO[EventPage],
    summary="List events",
    description=(
        "What happened to users, posts, products and orders, deletions included, oldest first, in an order in which "
        "nothing ever comes before what you have seen. Follow `next_cursor`: it is there on the last page, too, so ask "
        "with it again later, and you get each event exactly once. An event is shown as soon as all transactions that "
        "began before its own have ended. Events are kept for `EVENTS_RETENTION_DAYS`."
    ),
    tags=["Events"],
)
async def list_events(
    job_queries: Injected[JobQueries],
    paging: Paging,
    kind: Kinds = None,
    since: Annotated[
        datetime | None, QueryParameter(description="Where to begin: at this instant (RFC 3339) or later.")
    ] = None,
) -> EventPage:
    return await job_queries.read_events(paging, since, kind)
