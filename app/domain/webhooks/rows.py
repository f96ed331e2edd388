"""Rows of the prepared statements, and what is written by them."""

from datetime import datetime
from uuid import UUID

import msgspec


class DeliverWebhook(msgspec.Struct, frozen=True):
    """What the job of a delivery is about. Each owner has a share of the places."""

    delivery_id: UUID
    owner_id: UUID


class Recipient(msgspec.Struct, frozen=True):
    """A webhook that receives an event. ``is_full`` is whether no more deliveries may wait for it."""

    webhook_id: UUID
    owner_id: UUID
    is_full: bool


class NewDelivery(msgspec.Struct, frozen=True):
    """What is the same in the deliveries of an event."""

    event_id: UUID
    kind: str
    body: str
    resource_id: UUID
    resource_version: int


class DueDelivery(msgspec.Struct, frozen=True):
    """What an attempt has to know. ``is_wanted`` is whether the endpoint and its owner are active."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    kind: str
    body: str
    status: str
    owner_id: UUID
    url: str
    secret: bytes
    former_secret: bytes | None
    former_secret_expires_at: datetime | None
    is_wanted: bool
    version: int
