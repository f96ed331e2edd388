from typing import Literal

from litestar import Response, get
from litestar.params import FromPath

from app.domain.system.metrics_access import metrics_access
from app.domain.system.problem_pages import page_response, problem_index, problem_page
from app.domain.system.readiness import Readiness, ReadinessReport
from app.lib.errors import ErrorCode, NotFound
from app.lib.http.injection import Injected
from app.lib.http.rules import PRODUCES_ANYTHING
from app.lib.observability.metrics import CONTENT_TYPE, Metrics
from app.lib.security.policies import public
from app.lib.wire.dto import Output, StructDTO


class Health(Output):
    """The process answers."""

    status: Literal["ok"]


_OK = Health(status="ok")


@get(
    "/health",
    guards=[public],
    return_dto=StructDTO[Health],
    operation_id="getHealth",
    summary="Is it there?",
    tags=["System"],
)
async def health() -> Health:
    return _OK


@get(
    "/health/live",
    guards=[public],
    return_dto=StructDTO[Health],
    operation_id="getLiveness",
    summary="Is the process alive?",
    description="Asks nothing of others; restart the process when it does not answer.",
    tags=["System"],
)
async def live() -> Health:
    return _OK


@get(
    "/health/ready",
    guards=[public],
    return_dto=StructDTO[ReadinessReport],
    operation_id="getReadiness",
    summary="May it have traffic?",
    description="503 while the database, its schema or Redis is not as it should be, and while shutting down.",
    tags=["System"],
)
async def ready(readiness: Injected[Readiness]) -> ReadinessReport:
    return await readiness.report()


@get(
    "/metrics",
    guards=[metrics_access],
    opt={PRODUCES_ANYTHING: True},
    media_type=CONTENT_TYPE,
    include_in_schema=False,
    name="metrics",
)
async def get_metrics(metrics: Injected[Metrics]) -> bytes:
    await metrics.refresh()
    return metrics.render()


@get(
    "/problems/{slug:str}",
    guards=[public],
    opt={PRODUCES_ANYTHING: True},
    media_type="text/html",
    include_in_schema=False,
    name="problem",
)
async def get_problem(slug: FromPath[str], error_codes: Injected[tuple[ErrorCode, ...]]) -> Response[bytes]:
    if (page := problem_page(slug, error_codes)) is None:
        raise NotFound
    return page_response(page)


@get("/problems", guards=[public], opt={PRODUCES_ANYTHING: True}, media_type="text/html", include_in_schema=False)
async def list_problems(error_codes: Injected[tuple[ErrorCode, ...]]) -> Response[bytes]:
    return page_response(problem_index(error_codes))
