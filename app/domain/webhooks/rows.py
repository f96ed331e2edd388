"""Rows that are read but never sent as they are."""

from datetime import datetime
from uuid import UUID

import msgspec


class DueDelivery(msgspec.Struct, frozen=True):
    """What an attempt has to know. ``is_wanted`` is whether the endpoint and its owner are active."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    kind: str
    body: str
    status: str
    attempts: int
    owner_id: UUID
    url: str
    secret: bytes
    former_secret: bytes | None
    former_secret_expires_at: datetime | None
    is_wanted: bool
