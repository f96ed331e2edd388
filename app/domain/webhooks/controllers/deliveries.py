from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from msgspec import Meta

from app.domain.webhooks.dtos import DeliveryPage, DeliveryRead, DeliveryStatus
from app.domain.webhooks.errors import DeliveryPending, WebhookInactive
from app.domain.webhooks.services.deliveries import DeliveryService
from app.domain.webhooks.services.queries import DELIVERY_SORT_KEYS, WebhookQueries
from app.lib.http.injection import Injected
from app.lib.http.locations import linked
from app.lib.openapi.document import may_raise
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.sorting import sort_parameter
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import authenticated
from app.lib.security.principal import Principal
from app.lib.wire.dto import StructDTO

StatusFilter = Annotated[
    list[DeliveryStatus] | None,
    QueryParameter(name="status", description="In this state; repeat for any of several.", max_items=3),
]
KindFilter = Annotated[
    list[Annotated[str, Meta(max_length=64), QueryParameter(max_length=64)]] | None,
    QueryParameter(name="kind", description="The kind of event; repeat for any of several.", max_items=20),
]
Instant = Annotated[datetime | None, QueryParameter(description="An instant in UTC (RFC 3339).")]


class DeliveryController(Controller):
    path = "/webhooks/{webhook_id:uuid}/deliveries"
    tags = ("Webhooks",)

    @get(
        guards=[authenticated],
        return_dto=StructDTO[DeliveryPage],
        operation_id="listWebhookDeliveries",
        summary="List a webhook's deliveries",
        description="Those that have succeeded or failed are kept for 30 days.",
    )
    async def list_deliveries(
        self,
        webhook_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        webhook_queries: Injected[WebhookQueries],
        principal: Injected[Principal],
        paging: Injected[PageRequest],
        status: StatusFilter = None,
        kind: KindFilter = None,
        created_after: Instant = None,
        created_before: Instant = None,
        sort: Annotated[str | None, sort_parameter(DELIVERY_SORT_KEYS, "-created_at")] = None,
    ) -> Response[DeliveryPage]:
        filters = {
            "status": status,
            "kind": kind,
            "created_after": created_after,
            "created_before": created_before,
        }
        return linked(request, await webhook_queries.list_deliveries(webhook_id, paging, sort, filters, principal))

    @get(
        "/{delivery_id:uuid}",
        guards=[authenticated],
        return_dto=StructDTO[DeliveryRead],
        operation_id="getWebhookDelivery",
        summary="Get a webhook's delivery",
    )
    async def get(
        self,
        webhook_id: FromPath[UUID],
        delivery_id: FromPath[UUID],
        webhook_queries: Injected[WebhookQueries],
        principal: Injected[Principal],
    ) -> DeliveryRead:
        return await webhook_queries.get_delivery(webhook_id, delivery_id, principal)

    @post(
        "/{delivery_id:uuid}/replay",
        guards=[authenticated, rate_limit("webhooks")],
        return_dto=StructDTO[DeliveryRead],
        status_code=200,
        operation_id="replayWebhookDelivery",
        summary="Replay a delivery",
        description="Sends it again under the same `webhook-id`, whether it succeeded or failed, with all attempts.",
        opt=may_raise(DeliveryPending, WebhookInactive),
    )
    async def replay(
        self,
        webhook_id: FromPath[UUID],
        delivery_id: FromPath[UUID],
        delivery_service: Injected[DeliveryService],
        principal: Injected[Principal],
    ) -> DeliveryRead:
        return await delivery_service.replay(webhook_id, delivery_id, principal)
