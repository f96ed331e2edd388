from app.domain.catalog.events import ProductDeleted
from app.domain.catalog.permissions import PRODUCTS_WRITE
from app.lib.webhooks.kinds import WebhookKind, WebhookPayload

WEBHOOK_KINDS = (
    WebhookKind(
        event=ProductDeleted,
        description="A product was deleted.",
        permission=PRODUCTS_WRITE,
        payload_of=lambda event: WebhookPayload(data={"product_id": str(event.aggregate_id)}),
    ),
)
