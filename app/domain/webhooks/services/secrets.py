"""Signing secrets as the rows keep them: sealed, each for its own webhook."""

from datetime import datetime, timedelta

from app.domain.webhooks.models import WebhookEndpoint
from app.domain.webhooks.rows import DueDelivery
from app.lib.security.sealing import Sealer
from app.lib.webhooks.signing import new_secret, show_secret

FORMER_SECRET_LIFE = timedelta(hours=24)
"""How long deliveries are also signed with the secret before a rotation."""


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
