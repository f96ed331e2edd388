"""What webhooks tell about sign-in and registration."""

from app.domain.auth.events import RegisteredAgain
from app.lib.webhooks.kinds import Told, WebhookKind


def _tell(event: RegisteredAgain) -> Told:
    return Told(data={"user_id": str(event.aggregate_id)}, concerns=(event.aggregate_id,))


# For the owner alone. As much work as the event of a new account, so that time does not tell the one from the other.
WEBHOOK_KINDS = (
    WebhookKind(
        name=RegisteredAgain.kind,
        description="Somebody tried to register with your address.",
        event=RegisteredAgain,
        tell=_tell,
    ),
)
