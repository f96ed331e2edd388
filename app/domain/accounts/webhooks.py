"""What webhooks tell about accounts: ids only, so that whoever gets them asks with rights of their own."""

from app.domain.accounts.permissions import USERS_READ
from app.lib.webhooks.kinds import WebhookKind

USER_REGISTERED = "user.registered"
USER_UPDATED = "user.updated"
USER_DELETED = "user.deleted"

WEBHOOK_KINDS = (
    WebhookKind(name=USER_REGISTERED, description="An account was made.", permission=USERS_READ),
    WebhookKind(name=USER_UPDATED, description="An account or its profile was changed.", permission=USERS_READ),
    WebhookKind(name=USER_DELETED, description="An account was deleted.", permission=USERS_READ),
)
