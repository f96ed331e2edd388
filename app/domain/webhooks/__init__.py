"""Webhooks: people's own servers are told what happens (Standard Webhooks 1.0)."""

from app.domain.webhooks.controllers.deliveries import DeliveryController
from app.domain.webhooks.controllers.endpoints import WebhookController, list_webhook_kinds
from app.domain.webhooks.jobs import JOBS
from app.domain.webhooks.providers import PROVIDERS
from app.lib.domain import Domain

webhooks = Domain(
    name="webhooks",
    controllers=(WebhookController, DeliveryController, list_webhook_kinds),
    providers=PROVIDERS,
    jobs=JOBS,
    tags=(("Webhooks", "Your own servers are told what happens here, signed as Standard Webhooks says."),),
)
