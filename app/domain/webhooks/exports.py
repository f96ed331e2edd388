from app.domain.webhooks.models import WebhookEndpoint, WebhookSubscription
from app.lib.export import export

EXPORTS = (
    export(
        "webhooks",
        WebhookEndpoint.created_at,
        WebhookEndpoint.id,
        WebhookEndpoint.url,
        WebhookEndpoint.description,
        WebhookEndpoint.is_active,
        of=WebhookEndpoint.owner_id,
        by=[WebhookEndpoint.created_at, WebhookEndpoint.id],
    ),
    export(
        "webhook_subscriptions",
        WebhookSubscription.endpoint_id,
        WebhookSubscription.kind,
        of=WebhookEndpoint.owner_id,
        by=[WebhookSubscription.endpoint_id, WebhookSubscription.kind],
        where=[WebhookSubscription.endpoint_id == WebhookEndpoint.id],
    ),
)
