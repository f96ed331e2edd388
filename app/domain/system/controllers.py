import hmac
from typing import Any, Literal

import msgspec
from litestar import Request, Response, get
from litestar.handlers import BaseRouteHandler

from app.domain.system.permissions import METRICS_READ
from app.domain.system.readiness import Readiness, ReadinessReport
from app.domain.system.settings import SystemSettings
from app.lib.errors import InvalidToken, PermissionDenied, Unauthenticated
from app.lib.http.answers import public_answer
from app.lib.http.injection import Injected
from app.lib.http.query import PASSED_ON
from app.lib.http.responses import revalidated
from app.lib.http.rules import PRODUCES_ANYTHING
from app.lib.observability.metrics import CONTENT_TYPE, Metrics
from app.lib.openapi.document import DocumentInfo, build_document, for_holders_of, may_raise
from app.lib.openapi.examples import shows
from app.lib.security.bearer import bearer_token
from app.lib.security.policies import Connection, Policy, check_debts, public
from app.lib.security.principal import Authenticator
from app.lib.services import Services
from app.lib.wire.dto import Output, StructDTO


class Health(Output):
    """The process answers."""

    status: Literal["ok"]


_OK = Health(status="ok")


@get(
    "/health",
    name="health",
    guards=[public],
    opt={**PASSED_ON, **public_answer()},
    return_dto=StructDTO[Health],
    summary="Check that the service answers",
    description="For people and simple monitors. It asks neither the database nor anything else.",
    tags=["System"],
)
async def get_health() -> Health:
    return _OK


@get(
    "/health/live",
    guards=[public],
    opt={**PASSED_ON, **public_answer()},
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
    opt=dict(PASSED_ON),
    return_dto=StructDTO[ReadinessReport],
    summary="Check that the process may get traffic",
    description="503 while the database or its schema is not ready, and while shutting down. `degraded` without Redis.",
    tags=["System"],
)
async def get_readiness(readiness: Injected[Readiness]) -> ReadinessReport:
    return await readiness.report()


class MetricsAccess(Policy):
    """Reads the bearer token itself, because ``METRICS_TOKEN`` is no access token."""

    requires_credentials = True

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Raises ``Unauthenticated``, ``InvalidToken`` or ``PermissionDenied``."""
        token = bearer_token(connection.scope)
        if token is None:
            raise Unauthenticated
        services: Services = connection.app.state.core.services
        expected = services.get(SystemSettings).metrics_token
        if expected is not None and hmac.compare_digest(expected.reveal().encode(), token.encode()):
            return
        principal = await services.get(Authenticator).authenticate(token)
        check_debts(principal)
        if not principal.may(METRICS_READ):
            raise PermissionDenied(f"This needs the permission {METRICS_READ}.")


metrics_access = MetricsAccess(f"{METRICS_READ} or METRICS_TOKEN")


@get(
    "/metrics",
    guards=[metrics_access],
    opt={PRODUCES_ANYTHING: True}
    | for_holders_of(METRICS_READ)
    | may_raise(Unauthenticated, InvalidToken, PermissionDenied)
    | shows(200, '# TYPE http_requests_total counter\nhttp_requests_total{method="GET",status="200"} 3.0\n'),
    media_type=CONTENT_TYPE,
    summary="Read the metrics",
    description="In Prometheus' text format. `METRICS_TOKEN` of the service is good as a bearer token, too.",
    tags=["System"],
    name="metrics",
)
async def get_metrics(metrics: Injected[Metrics]) -> bytes:
    return await metrics.scrape()


@get("/docs/openapi.json", guards=[public], opt=dict(PASSED_ON), include_in_schema=False, name="openapi")
async def get_openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Built at the first request, so that no worker waits for it at start."""
    state: Any = request.app.state
    document: bytes | None = state.get("openapi_document")
    if document is None:
        info = msgspec.structs.replace(state.core.services.get(DocumentInfo), origin=state.core.settings.address.origin)
        document = msgspec.json.encode(build_document(request.app, info))
        state.openapi_document = document
    return revalidated(document)
