"""What webhooks tell about accounts: ids only, so that whoever gets them asks with rights of their own."""

from app.domain.accounts.events import AccountDeleted, AccountRegistered, AccountUpdated
from app.domain.accounts.permissions import USERS_READ
from app.lib.outbox import Event
from app.lib.webhooks.kinds import Told, WebhookKind


def _tell(event: Event) -> Told:
    return Told(data={"user_id": str(event.aggregate_id)}, concerns=(event.aggregate_id,))


WEBHOOK_KINDS = tuple(
    WebhookKind(name=event.kind, description=description, permission=USERS_READ, event=event, tell=_tell)
    for event, description in (
        (AccountRegistered, "An account was made."),
        (AccountUpdated, "An account was changed: names, address, flags or roles."),
        (AccountDeleted, "An account was deleted."),
    )
)
