"""What webhooks are sent about users: ids only, so that the receiver asks with rights of their own."""

from app.domain.accounts.events import UserDeleted, UserRegistered, UserUpdated
from app.domain.accounts.permissions import USERS_READ
from app.lib.events import Event
from app.lib.webhooks.kinds import WebhookKind, WebhookPayload


def user_payload(event: Event) -> WebhookPayload:
    """Of an event whose aggregate is a user."""
    return WebhookPayload(data={"user_id": str(event.aggregate_id)}, concerns=(event.aggregate_id,))


WEBHOOK_KINDS = tuple(
    WebhookKind(
        description=description,
        permission=USERS_READ,
        event=event,
        payload_of=user_payload,
        only_newest=event is UserUpdated,
    )
    for event, description in (
        (UserRegistered, "A user was created."),
        (UserUpdated, "A user was changed: names, address, flags, metadata or roles."),
        (UserDeleted, "A user was deleted."),
    )
)
