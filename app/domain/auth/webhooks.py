"""Webhooks about registration."""

from app.domain.accounts.webhooks import user_payload
from app.domain.auth.events import RegisteredAgain
from app.lib.webhooks.kinds import WebhookKind

# For the owner alone. As much work as the event of a new account, so that both take the same time.
WEBHOOK_KINDS = (
    WebhookKind(event=RegisteredAgain, description="A registration named your email address.", payload_of=user_payload),
)
