"""What happens to webhooks. Domains above listen, and do their part in the same transaction."""

from uuid import UUID

import msgspec


class WebhookDisabled(msgspec.Struct, frozen=True):
    """A webhook was switched off because its receiver is gone, or has been failing for days."""

    webhook_id: UUID
    owner_id: UUID
    reason: str
