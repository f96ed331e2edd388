from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from app.domain.webhooks.dtos import (
    DeliveryPage,
    DeliveryRead,
    DeliveryStatus,
    WebhookCreate,
    WebhookKindPage,
    WebhookKindRead,
    WebhookPage,
    WebhookRead,
    WebhookUpdate,
    WebhookWithSecret,
)
from app.domain.webhooks.errors import DeliveryPending, TooManyPending, TooManyWebhooks, WebhookInactive
from app.domain.webhooks.services.deliveries import DeliveryService
from app.domain.webhooks.services.endpoints import WebhookService
from app.domain.webhooks.services.queries import DELIVERY_SORT, WEBHOOK_SORT, WebhookQueries
from app.lib.errors import ReauthRequired
from app.lib.http.injection import Caller, Injected, Paging, Precondition
from app.lib.http.locations import created
from app.lib.http.rules import TEXT_BODY
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import may_raise
from app.lib.openapi.examples import shows
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import page_of
from app.lib.pagination.parameters import After, Before
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import authenticated, recently_authenticated
from app.lib.webhooks.kinds import WebhookKinds
from app.lib.wire.dto import StructDTO

_TEST = {
    "kind": "webhook.test",
    "status": "pending",
    "attempts": 0,
    "next_attempt_at": "2026-01-31T12:00:00Z",
    **dict.fromkeys(["last_attempt_at", "response_status", "response_body", "duration_ms"]),
}
_RETRIED = {"status": "pending", "attempts": 0, "version": 3} | dict.fromkeys(
    ["next_attempt_at", "updated_at"], "2026-01-31T12:10:00Z"
)

Webhooks = Injected[WebhookService]
Deliveries = Injected[DeliveryService]
Queries = Injected[WebhookQueries]
WebhookId = FromPath[UUID]
DeliveryId = FromPath[UUID]

NO_STORE = {"Cache-Control": "no-store"}

ActiveFilter = Annotated[
    list[bool] | None, QueryParameter(description="Only active webhooks, or only inactive ones.", max_items=2)
]
StatusFilter = Annotated[
    list[DeliveryStatus] | None,
    QueryParameter(name="status", description="In this state; repeat for any of several.", max_items=3),
]
KindFilter = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=64), QueryParameter(min_length=1, max_length=64)]] | None,
    QueryParameter(name="kind", description="The kind of event; repeat for any of several.", max_items=20),
]


class WebhookController(Controller):
    path = "/webhooks"
    tags = ("Webhooks",)
    return_dto = StructDTO[WebhookRead]

    @get(
        guards=[authenticated],
        return_dto=StructDTO[WebhookPage],
        summary="List your webhooks",
        description="Your own endpoints without their secrets.",
    )
    async def list_webhooks(
        self,
        queries: Queries,
        principal: Caller,
        paging: Paging,
        is_active: ActiveFilter = None,
        sort: Annotated[str | None, WEBHOOK_SORT] = None,
    ) -> WebhookPage:
        filters = {"is_active": is_active}
        return await queries.list_webhooks(paging, sort, filters, principal)

    @post(
        guards=[recently_authenticated],
        dto=StructDTO[WebhookCreate],
        return_dto=StructDTO[WebhookWithSecret],
        summary="Create a webhook",
        description="Only this answer has the secret.",
        opt=TEXT_BODY | may_raise(TooManyWebhooks),
    )
    async def create_webhook(
        self, data: JSONBody[WebhookCreate], webhooks: Webhooks, principal: Caller
    ) -> Response[WebhookWithSecret]:
        webhook = await webhooks.create(data, principal)
        response = created(webhook, f"/api/v1/webhooks/{webhook.id}")
        response.headers.update(NO_STORE)
        return response

    @get(
        "/{webhook_id:uuid}",
        guards=[authenticated],
        summary="Get a webhook",
        description="One of your own endpoints without its secret, and whether it is failing.",
    )
    async def get_webhook(self, webhook_id: WebhookId, queries: Queries, principal: Caller) -> WebhookRead:
        return await queries.get_webhook(webhook_id, principal)

    @patch(
        "/{webhook_id:uuid}",
        guards=[authenticated],
        dto=StructDTO[WebhookUpdate],
        summary="Update a webhook",
        description="Another `url` needs a sign-in within 10 minutes.",
        opt=TEXT_BODY | may_raise(ReauthRequired),
    )
    async def update_webhook(
        self,
        webhook_id: WebhookId,
        data: JSONBody[WebhookUpdate],
        webhooks: Webhooks,
        principal: Caller,
        if_match: Precondition,
    ) -> WebhookRead:
        return await webhooks.update(webhook_id, data, if_match, principal)

    @delete(
        "/{webhook_id:uuid}",
        guards=[authenticated],
        summary="Delete a webhook",
        description="With its deliveries, also those that are still being tried.",
    )
    async def delete_webhook(
        self, webhook_id: WebhookId, webhooks: Webhooks, principal: Caller, if_match: Precondition
    ) -> None:
        await webhooks.delete(webhook_id, if_match, principal)

    @post(
        "/{webhook_id:uuid}/rotate-secret",
        guards=[recently_authenticated],
        return_dto=StructDTO[WebhookWithSecret],
        status_code=200,
        summary="Rotate a webhook's secret",
        description="For 24 hours the present secret signs, too.",
    )
    async def rotate_webhook_secret(
        self, webhook_id: WebhookId, webhooks: Webhooks, principal: Caller, if_match: Precondition
    ) -> Response[WebhookWithSecret]:
        return Response(await webhooks.rotate_secret(webhook_id, if_match, principal), headers=NO_STORE)

    @post(
        "/{webhook_id:uuid}/test",
        guards=[authenticated, rate_limit("webhooks")],
        return_dto=StructDTO[DeliveryRead],
        summary="Send a test event",
        description="A `webhook.test`, tried once, even without a subscription.",
        opt=IDEMPOTENT | may_raise(TooManyPending, WebhookInactive) | shows(201, **_TEST),
    )
    async def test_webhook(
        self, webhook_id: WebhookId, deliveries: Deliveries, principal: Caller
    ) -> Response[DeliveryRead]:
        delivery = await deliveries.test(webhook_id, principal)
        return created(delivery, f"/api/v1/webhooks/{webhook_id}/deliveries/{delivery.id}")


class DeliveryController(Controller):
    path = "/webhooks/{webhook_id:uuid}/deliveries"
    tags = ("Webhooks",)
    return_dto = StructDTO[DeliveryRead]

    @get(
        guards=[authenticated],
        return_dto=StructDTO[DeliveryPage],
        summary="List a webhook's deliveries",
        description="Those that have succeeded or failed are kept for 30 days. Where `WEBHOOKS_MAX_PENDING` wait, a "
        "new one has failed from the start (`too_many_pending`). A `user.updated` or `post.updated` that was not yet "
        "tried is replaced by the next one of the same user or post.",
    )
    async def list_webhook_deliveries(
        self,
        webhook_id: WebhookId,
        queries: Queries,
        principal: Caller,
        paging: Paging,
        status: StatusFilter = None,
        kind: KindFilter = None,
        created_after: After = None,
        created_before: Before = None,
        sort: Annotated[str | None, DELIVERY_SORT] = None,
    ) -> DeliveryPage:
        filters = {"status": status, "kind": kind, "created_after": created_after, "created_before": created_before}
        return await queries.list_deliveries(webhook_id, paging, sort, filters, principal)

    @get(
        "/{delivery_id:uuid}",
        guards=[authenticated],
        summary="Get a webhook's delivery",
        description="One event for the webhook: its state, its attempts, and the last answer of the receiver.",
    )
    async def get_webhook_delivery(
        self, webhook_id: WebhookId, delivery_id: DeliveryId, queries: Queries, principal: Caller
    ) -> DeliveryRead:
        return await queries.get_delivery(webhook_id, delivery_id, principal)

    @post(
        "/{delivery_id:uuid}/retry",
        guards=[authenticated, rate_limit("webhooks")],
        status_code=200,
        summary="Retry a delivery",
        description="Sends it again under the same `webhook-id`, whether it succeeded or failed, with all attempts.",
        opt=may_raise(DeliveryPending, TooManyPending, WebhookInactive) | shows(200, **_RETRIED),
    )
    async def retry_webhook_delivery(
        self,
        webhook_id: WebhookId,
        delivery_id: DeliveryId,
        deliveries: Deliveries,
        principal: Caller,
        if_match: Precondition,
    ) -> DeliveryRead:
        return await deliveries.retry(webhook_id, delivery_id, if_match, principal)


@get(
    "/webhook-kinds",
    guards=[authenticated],
    return_dto=StructDTO[WebhookKindPage],
    summary="List webhook kinds",
    description="The kinds of events that webhooks can subscribe to.",
    tags=["Webhooks"],
)
async def list_webhook_kinds(
    webhook_kinds: Injected[WebhookKinds],
    paging: Paging,
    cursors: Injected[CursorCodec],
) -> WebhookKindPage:
    items = [WebhookKindRead(name=each.name, description=each.description) for _, each in sorted(webhook_kinds.items())]
    return page_of(WebhookKindPage, "webhook_kinds", items, paging, cursors)
