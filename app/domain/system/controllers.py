from typing import Any, Literal

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from app.domain.system.metrics_access import metrics_access
from app.domain.system.problem_pages import page_response, problem_index, problem_page
from app.domain.system.readiness import Readiness, ReadinessReport
from app.lib.errors import NotFound
from app.lib.http.injection import Injected
from app.lib.http.rules import PRODUCES_ANYTHING
from app.lib.observability.metrics import CONTENT_TYPE, Metrics
from app.lib.openapi.document import build_document, tagged_document
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
    summary="Check that the service answers",
    tags=["System"],
)
async def get_health() -> Health:
    return _OK


@get(
    "/health/live",
    guards=[public],
    return_dto=StructDTO[Health],
    summary="Check that the process is alive",
    description="Checks nothing else; restart the process when it does not answer.",
    tags=["System"],
)
async def get_liveness() -> Health:
    return _OK


@get(
    "/health/ready",
    guards=[public],
    return_dto=StructDTO[ReadinessReport],
    summary="Check that the process may get traffic",
    description="503 while the database, its schema or Redis is not ready, and while shutting down.",
    tags=["System"],
)
async def get_readiness(readiness: Injected[Readiness]) -> ReadinessReport:
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


@get("/docs/openapi.json", guards=[public], include_in_schema=False, name="openapi")
async def get_openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Built at the first request, so that no worker waits for it at start."""
    state: Any = request.app.state
    document: bytes | None = state.get("openapi_document")
    if document is None:
        document = msgspec.json.encode(build_document(request.app, state.core.document))
        state.openapi_document = document
    return tagged_document(document)


@get(
    "/problems/{slug:str}",
    guards=[public],
    opt={PRODUCES_ANYTHING: True},
    media_type="text/html",
    include_in_schema=False,
    name="problem",
)
async def get_problem(request: Request[Any, Any, Any], slug: FromPath[str]) -> Response[bytes]:
    if (page := problem_page(slug, request.app.state.core.document.error_codes)) is None:
        raise NotFound
    return page_response(page)


@get("/problems", guards=[public], opt={PRODUCES_ANYTHING: True}, media_type="text/html", include_in_schema=False)
async def list_problems(request: Request[Any, Any, Any]) -> Response[bytes]:
    return page_response(problem_index(request.app.state.core.document.error_codes))
