"""Signing secrets as the rows keep them: sealed, each for its own webhook."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from app.domain.webhooks.models import WebhookEndpoint
from app.domain.webhooks.repositories import DueDelivery, WebhookRepository
from app.lib.db.uow import UnitOfWork
from app.lib.security.sealing import CannotUnseal, Sealer
from app.lib.webhooks.signing import new_secret, show_secret

FORMER_SECRET_LIFE = timedelta(hours=24)
"""How long deliveries are also signed with the secret before a rotation."""

_BATCH = 100

log = structlog.get_logger(__name__)


def set_secret(webhook: WebhookEndpoint, sealer: Sealer) -> str:
    """Gives a webhook a new secret, and returns it as it is shown."""
    secret = new_secret()
    webhook.secret = sealer.seal(secret, webhook.id.bytes)
    return show_secret(secret)


def signing_keys(due: DueDelivery, sealer: Sealer, now: datetime) -> list[bytes]:
    """The keys to sign an attempt with, the present one first. Raises ``CannotUnseal``."""
    sealed = [due.secret]
    if due.former_secret and due.former_secret_expires_at and due.former_secret_expires_at > now:
        sealed.append(due.former_secret)
    return [sealer.open(each, due.endpoint_id.bytes) for each in sealed]


async def reseal_secrets(unit: UnitOfWork, sealer: Sealer, after: UUID | None = None) -> UUID | None:
    """Seals a batch of secrets with the present key where a former one did. Returns where to go on, None at the end.

    When it has been through, the former key is no longer needed. What no key opens is left as it is.
    """
    webhooks = WebhookRepository(unit)
    batch = await webhooks.lock_after(after, _BATCH)
    for webhook in batch:
        context = webhook.id.bytes
        try:
            for name in ("secret", "former_secret"):
                sealed = getattr(webhook, name)
                if sealed is not None and not sealer.is_current(sealed):
                    setattr(webhook, name, sealer.seal(sealer.open(sealed, context), context))
        except CannotUnseal:
            log.error("webhook.secret_unreadable", webhook_id=str(webhook.id))  # noqa: TRY400 - nothing to trace
        await webhooks.update(webhook)
    return batch[-1].id if len(batch) == _BATCH else None
