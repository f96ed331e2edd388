"""What happens to webhooks."""

from uuid import UUID

from app.lib.events import Event, event


@event("webhook.disabled")
class WebhookDisabled(Event, frozen=True, kw_only=True):
    """A webhook was switched off because its receiver is gone, or has been failing for days."""

    owner_id: UUID
    reason: str
