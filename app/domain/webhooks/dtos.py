"""What goes over the wire about webhooks. A secret is shown when it is created, and never again."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from app.lib.http.conditional import Version, Versioned
from app.lib.pagination.envelope import Page
from app.lib.wire.decoding import Hint
from app.lib.wire.dto import Input, Output
from app.lib.wire.fields import SingleLine

ReceiverUrl = Annotated[
    str,
    Meta(
        min_length=8,
        max_length=2048,
        pattern=r"^https?://[!-~]+$(?!\n)",
        examples=["https://receiver.example.com/webhooks"],
        extra_json_schema={"format": "uri"},
    ),
    Hint("Must be an https URL; other than ASCII is percent-encoded."),
]
"""Where webhooks are sent. Which URLs are allowed depends on the settings, so the service decides."""

EventKind = Annotated[
    str,
    Meta(max_length=64, pattern=r"^[a-z_]+(?:\.[a-z_]+)+$(?!\n)", examples=["user.updated"]),
    Hint("Must be lower-case words with dots between them."),
]
_Description = Annotated[SingleLine, Meta(examples=["Keeps the customer list up to date."])]
EventKinds = Annotated[list[EventKind], Meta(min_length=1, max_length=50)]

DisabledReason = Annotated[
    Literal["gone", "failing", "password_reset"],
    Meta(title="WebhookDisabledReason", description="Why the service sends nothing any more."),
]
DeliveryStatus = Annotated[
    Literal["pending", "succeeded", "failed"], Meta(title="DeliveryStatus", description="Whether it has arrived.")
]

DeliveryFailure = Annotated[
    Literal[
        "name_not_found",
        "address_refused",
        "connection_failed",
        "tls_failed",
        "timeout",
        "invalid_answer",
        "refused",
        "secret_unreadable",
        "webhook_inactive",
        "too_many_pending",
    ],
    Meta(title="DeliveryFailure", description="Why the latest attempt failed."),
]

SigningSecret = Annotated[
    str,
    Meta(
        max_length=128,
        pattern=r"^whsec_[A-Za-z0-9+/]+=*$(?!\n)",
        description="Verifies the signatures (Standard Webhooks). It is shown this once.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
    ),
]
_Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class WebhookRead(Versioned):
    """An endpoint that receives events.

    ``disabled_reason`` says why the service has disabled it: the receiver answered 410 (`gone`), nothing got through
    for days (`failing`), or the account may have been in other hands (`password_reset`). ``first_failed_at`` is that of
    the first failure that no success has followed.
    """

    id: UUID
    url: ReceiverUrl
    description: _Description | None
    kinds: Annotated[list[EventKind], Meta(max_length=50)]
    is_active: Annotated[bool, Meta(examples=[True])]
    disabled_reason: DisabledReason | None
    first_failed_at: datetime | None
    former_secret_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: Version


class WebhookWithSecret(WebhookRead):
    """A webhook with its new secret."""

    secret: SigningSecret


WebhookPage = Page[WebhookRead]


class WebhookCreate(Input):
    """A new webhook: its URL, and the kinds of events that it receives."""

    url: ReceiverUrl
    kinds: EventKinds
    description: _Description | None = None
    is_active: bool = True


class WebhookUpdate(Input):
    """A merge patch of a webhook; activating it also clears its failures."""

    url: ReceiverUrl | UnsetType = UNSET
    kinds: EventKinds | UnsetType = UNSET
    description: _Description | None | UnsetType = UNSET
    is_active: Annotated[bool, Meta(examples=[True])] | UnsetType = UNSET


class WebhookKindRead(Output):
    """A kind of event that webhooks can subscribe to."""

    name: EventKind
    description: Annotated[
        str, Meta(max_length=255, examples=["A user was changed: names, address, flags, metadata or roles."])
    ]


WebhookKindPage = Page[WebhookKindRead]


class DeliveryRead(Versioned):
    """One event for one webhook, and its state. ``event_id`` is the ``webhook-id`` that the receiver sees.

    ``failure``, ``response_status``, ``response_body`` (its first 1 000 characters) and ``duration_ms`` are the last
    attempt's.
    """

    id: UUID
    webhook_id: UUID
    event_id: UUID
    kind: EventKind
    status: Annotated[DeliveryStatus, Meta(examples=["succeeded"])]
    attempts: _Count
    next_attempt_at: datetime | None
    last_attempt_at: Annotated[datetime, Meta(examples=["2026-01-31T12:05:00Z"])] | None
    failure: DeliveryFailure | None
    response_status: Annotated[int, Meta(ge=100, le=999, examples=[200])] | None
    response_body: Annotated[str, Meta(max_length=1000, examples=["ok"])] | None
    duration_ms: Annotated[_Count, Meta(examples=[84])] | None
    created_at: datetime
    updated_at: datetime
    version: Version


DeliveryPage = Page[DeliveryRead]
