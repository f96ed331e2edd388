"""Webhooks: events for users' own servers (Standard Webhooks 1.0)."""

from app.domain.webhooks.build import build
from app.domain.webhooks.controllers.deliveries import DeliveryController
from app.domain.webhooks.controllers.endpoints import WebhookController, list_webhook_kinds
from app.domain.webhooks.jobs import JOBS
from app.domain.webhooks.services.deliveries import DeliveryService
from app.domain.webhooks.services.endpoints import WebhookService
from app.domain.webhooks.services.queries import WebhookQueries
from app.domain.webhooks.settings import WebhookSettings
from app.lib.domain import Domain
from app.lib.pagination.cursor import CursorCodec
from app.lib.webhooks.kinds import WebhookKinds

webhooks = Domain(
    name="webhooks",
    settings=WebhookSettings,
    build=build,
    controllers=(WebhookController, DeliveryController, list_webhook_kinds),
    services={
        "webhook_queries": WebhookQueries,
        "webhook_service": WebhookService,
        "delivery_service": DeliveryService,
        "webhook_kinds": WebhookKinds,
        "cursors": CursorCodec,
    },
    jobs=JOBS,
    tags=(("Webhooks", "Events for your own servers, signed as Standard Webhooks says."),),
)
