"""Mails as they are read from the table."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class MailStatus(StrEnum):
    """``CANCELLED``: its user has unsubscribed from the topic. ``SKIPPED``: no backend sends mails. ``BOUNCED``: it
    came back after it was sent.
    """

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    BOUNCED = "bounced"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class MailRow(msgspec.Struct, frozen=True):
    """All that is needed to send a mail, and to show it."""

    id: UUID
    kind: str
    business_id: str
    user_id: UUID | None
    topic: str | None
    to_address: str
    locale: str
    template: str
    context: dict[str, Any]
    secrets: bytes | None
    has_secrets: bool
    message_id: str
    status: str
    attempts: int
    retries: int
    last_error: str | None
    queued_at: datetime


class MailSummary(msgspec.Struct, frozen=True):
    """A mail in a list, without its contents."""

    id: UUID
    kind: str
    to_address: str
    locale: str
    template: str
    status: str
    attempts: int
    last_error: str | None
    message_id: str
    created_at: datetime
    sent_at: datetime | None
