"""Webhooks: events for users' own servers (Standard Webhooks 1.0)."""

from pathlib import Path

from app.domain.webhooks.audit import AUDIT_KINDS
from app.domain.webhooks.build import build
from app.domain.webhooks.controllers import DeliveryController, WebhookController, list_webhook_kinds
from app.domain.webhooks.exports import EXPORTS
from app.domain.webhooks.jobs import JOBS
from app.domain.webhooks.listeners import LISTENERS
from app.domain.webhooks.repositories import GAUGES
from app.domain.webhooks.settings import WebhookSettings
from app.domain.webhooks.steps import STEPS
from app.lib.domain import Domain

webhooks = Domain(
    name="webhooks",
    exports=EXPORTS,
    settings=WebhookSettings,
    build=build,
    controllers=(WebhookController, DeliveryController, list_webhook_kinds),
    mail_templates=(Path(__file__).parent / "templates",),
    audit_kinds=AUDIT_KINDS,
    listeners=LISTENERS,
    jobs=JOBS,
    gauges=GAUGES,
    steps=STEPS,
    tag_group="Realtime",
    tags=(("Webhooks", "Events for your own servers, signed as Standard Webhooks says."),),
)
