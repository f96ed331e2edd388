from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from msgspec import Meta

from app.domain.webhooks.dtos import DeliveryPage, DeliveryRead, DeliveryStatus
from app.domain.webhooks.errors import DeliveryPending, WebhookInactive
from app.domain.webhooks.services.deliveries import DeliveryService
from app.domain.webhooks.services.queries import DELIVERY_SORT, WebhookQueries
from app.lib.http.injection import Injected
from app.lib.http.locations import linked
from app.lib.openapi.document import may_raise
from app.lib.pagination.parameters import Instant, PageRequest
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

Queries = Injected[WebhookQueries]
Caller = Injected[Principal]
WebhookId = FromPath[UUID]
DeliveryId = FromPath[UUID]


class DeliveryController(Controller):
    path = "/webhooks/{webhook_id:uuid}/deliveries"
    tags = ("Webhooks",)
    return_dto = StructDTO[DeliveryRead]

    @get(
        guards=[authenticated],
        return_dto=StructDTO[DeliveryPage],
        summary="List a webhook's deliveries",
        description="Those that have succeeded or failed are kept for 30 days.",
    )
    async def list_webhook_deliveries(
        self,
        webhook_id: WebhookId,
        request: Request[Any, Any, Any],
        webhook_queries: Queries,
        principal: Caller,
        paging: Injected[PageRequest],
        status: StatusFilter = None,
        kind: KindFilter = None,
        created_after: Instant = None,
        created_before: Instant = None,
        sort: Annotated[str | None, DELIVERY_SORT] = None,
    ) -> Response[DeliveryPage]:
        filters = {"status": status, "kind": kind, "created_after": created_after, "created_before": created_before}
        return linked(request, await webhook_queries.list_deliveries(webhook_id, paging, sort, filters, principal))

    @get("/{delivery_id:uuid}", guards=[authenticated], summary="Get a webhook's delivery")
    async def get_webhook_delivery(
        self, webhook_id: WebhookId, delivery_id: DeliveryId, webhook_queries: Queries, principal: Caller
    ) -> DeliveryRead:
        return await webhook_queries.get_delivery(webhook_id, delivery_id, principal)

    @post(
        "/{delivery_id:uuid}/replay",
        guards=[authenticated, rate_limit("webhooks")],
        status_code=200,
        summary="Replay a delivery",
        description="Sends it again under the same `webhook-id`, whether it succeeded or failed, with all attempts.",
        opt=may_raise(DeliveryPending, WebhookInactive),
    )
    async def replay_webhook_delivery(
        self,
        webhook_id: WebhookId,
        delivery_id: DeliveryId,
        delivery_service: Injected[DeliveryService],
        principal: Caller,
    ) -> DeliveryRead:
        return await delivery_service.replay(webhook_id, delivery_id, principal)
