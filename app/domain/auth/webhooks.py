"""Webhooks about registration."""

from app.domain.auth.events import RegisteredAgain
from app.lib.webhooks.kinds import Told, WebhookKind


def _tell(event: RegisteredAgain) -> Told:
    return Told(data={"user_id": str(event.aggregate_id)}, concerns=(event.aggregate_id,))


# For the owner alone. As much work as the event of a new account, so that both take the same time.
WEBHOOK_KINDS = (
    WebhookKind(
        name=RegisteredAgain.kind,
        description="A registration named your e-mail address.",
        event=RegisteredAgain,
        tell=_tell,
    ),
)
