"""Webhooks about registration."""

from app.domain.auth.events import RegisteredAgain
from app.lib.webhooks.kinds import WebhookKind, WebhookPayload


def _payload_of(event: RegisteredAgain) -> WebhookPayload:
    return WebhookPayload(data={"user_id": str(event.aggregate_id)}, concerns=(event.aggregate_id,))


# For the owner alone. As much work as the event of a new account, so that both take the same time.
WEBHOOK_KINDS = (
    WebhookKind(event=RegisteredAgain, description="A registration named your email address.", payload_of=_payload_of),
)
