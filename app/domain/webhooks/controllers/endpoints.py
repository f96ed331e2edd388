from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from app.domain.webhooks.dtos import (
    DeliveryRead,
    WebhookCreate,
    WebhookKindPage,
    WebhookKindRead,
    WebhookPage,
    WebhookRead,
    WebhookUpdate,
    WebhookWithSecret,
)
from app.domain.webhooks.errors import TooManyWebhooks, WebhookInactive
from app.domain.webhooks.services.deliveries import DeliveryService
from app.domain.webhooks.services.endpoints import WebhookService
from app.domain.webhooks.services.queries import WEBHOOK_SORT_KEYS, WebhookQueries
from app.lib.db.versions import IfMatch
from app.lib.errors import PreconditionFailed, ReauthRequired
from app.lib.http.injection import Injected
from app.lib.http.locations import created, linked
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import may_raise
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import page_of
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.sorting import sort_parameter
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import authenticated, recently_authenticated
from app.lib.security.principal import Principal
from app.lib.webhooks.kinds import WebhookKinds
from app.lib.wire.dto import StructDTO

NO_STORE = {"Cache-Control": "no-store"}

ActiveFilter = Annotated[
    list[bool] | None, QueryParameter(description="Only active webhooks, or only inactive ones.", max_items=2)
]


class WebhookController(Controller):
    path = "/webhooks"
    tags = ("Webhooks",)

    @get(
        guards=[authenticated],
        return_dto=StructDTO[WebhookPage],
        operation_id="listWebhooks",
        summary="List your webhooks",
    )
    async def list_webhooks(
        self,
        request: Request[Any, Any, Any],
        webhook_queries: Injected[WebhookQueries],
        principal: Injected[Principal],
        paging: Injected[PageRequest],
        is_active: ActiveFilter = None,
        sort: Annotated[str | None, sort_parameter(WEBHOOK_SORT_KEYS, "-created_at")] = None,
    ) -> Response[WebhookPage]:
        filters = {"is_active": is_active}
        return linked(request, await webhook_queries.list_webhooks(paging, sort, filters, principal))

    @post(
        guards=[recently_authenticated],
        dto=StructDTO[WebhookCreate],
        return_dto=StructDTO[WebhookWithSecret],
        operation_id="createWebhook",
        summary="Create a webhook",
        description="Only this answer has the secret. Needs a sign-in within 10 minutes.",
        opt=may_raise(TooManyWebhooks, ReauthRequired),
    )
    async def create(
        self, data: JSONBody[WebhookCreate], webhook_service: Injected[WebhookService], principal: Injected[Principal]
    ) -> Response[WebhookWithSecret]:
        webhook = await webhook_service.create(data, principal)
        response = created(webhook, f"/api/v1/webhooks/{webhook.id}")
        response.headers.update(NO_STORE)
        return response

    @get(
        "/{webhook_id:uuid}",
        guards=[authenticated],
        return_dto=StructDTO[WebhookRead],
        operation_id="getWebhook",
        summary="Get a webhook",
    )
    async def get(
        self, webhook_id: FromPath[UUID], webhook_queries: Injected[WebhookQueries], principal: Injected[Principal]
    ) -> WebhookRead:
        return await webhook_queries.get_webhook(webhook_id, principal)

    @patch(
        "/{webhook_id:uuid}",
        guards=[authenticated],
        dto=StructDTO[WebhookUpdate],
        return_dto=StructDTO[WebhookRead],
        operation_id="updateWebhook",
        summary="Update a webhook",
        description="Another `url` needs a sign-in within 10 minutes.",
        opt=may_raise(ReauthRequired, PreconditionFailed),
    )
    async def update(
        self,
        webhook_id: FromPath[UUID],
        data: JSONBody[WebhookUpdate],
        webhook_service: Injected[WebhookService],
        principal: Injected[Principal],
        if_match: Injected[IfMatch],
    ) -> WebhookRead:
        return await webhook_service.update(webhook_id, data, if_match, principal)

    @delete(
        "/{webhook_id:uuid}",
        guards=[authenticated],
        operation_id="deleteWebhook",
        summary="Delete a webhook",
        description="With its deliveries, also those that are still being tried.",
        opt=may_raise(PreconditionFailed),
    )
    async def delete(
        self,
        webhook_id: FromPath[UUID],
        webhook_service: Injected[WebhookService],
        principal: Injected[Principal],
        if_match: Injected[IfMatch],
    ) -> None:
        await webhook_service.delete(webhook_id, if_match, principal)

    @post(
        "/{webhook_id:uuid}/rotate-secret",
        guards=[recently_authenticated],
        return_dto=StructDTO[WebhookWithSecret],
        status_code=200,
        operation_id="rotateWebhookSecret",
        summary="Rotate a webhook's secret",
        description="For 24 hours the present secret signs, too. Needs a sign-in within 10 minutes.",
        opt=may_raise(ReauthRequired, PreconditionFailed),
    )
    async def rotate_secret(
        self,
        webhook_id: FromPath[UUID],
        webhook_service: Injected[WebhookService],
        principal: Injected[Principal],
        if_match: Injected[IfMatch],
    ) -> Response[WebhookWithSecret]:
        return Response(await webhook_service.rotate_secret(webhook_id, if_match, principal), headers=NO_STORE)

    @post(
        "/{webhook_id:uuid}/test",
        guards=[authenticated, rate_limit("webhooks")],
        return_dto=StructDTO[DeliveryRead],
        operation_id="testWebhook",
        summary="Send a test event",
        description="A `webhook.test`, tried once, even without a subscription.",
        opt=IDEMPOTENT | may_raise(WebhookInactive),
    )
    async def test(
        self, webhook_id: FromPath[UUID], delivery_service: Injected[DeliveryService], principal: Injected[Principal]
    ) -> Response[DeliveryRead]:
        delivery = await delivery_service.test(webhook_id, principal)
        return created(delivery, f"/api/v1/webhooks/{webhook_id}/deliveries/{delivery.id}")


@get(
    "/webhook-kinds",
    guards=[authenticated],
    return_dto=StructDTO[WebhookKindPage],
    operation_id="listWebhookKinds",
    summary="List webhook kinds",
    description="The kinds of events that webhooks can subscribe to.",
    tags=["Webhooks"],
)
async def list_webhook_kinds(
    request: Request[Any, Any, Any],
    webhook_kinds: Injected[WebhookKinds],
    paging: Injected[PageRequest],
    cursors: Injected[CursorCodec],
) -> Response[WebhookKindPage]:
    items = [WebhookKindRead(name=each.name, description=each.description) for _, each in sorted(webhook_kinds.items())]
    return linked(request, page_of(WebhookKindPage, "webhook_kinds", items, paging, cursors))
