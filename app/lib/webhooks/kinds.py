"""What webhooks can subscribe to, and who may receive it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.lib.events import Event, Hint, event


class WebhookPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent about an event. ``data`` holds nothing that a holder of the kind's permission may not see;
    ``concerns`` are the users who may receive it without the permission. ``words`` are what people wrote: they are sent
    with ``data``, but are not in the list of events, which outlives the account of who wrote them.
    """

    data: dict[str, Any]
    words: dict[str, str | None] = msgspec.field(default_factory=dict)
    concerns: tuple[UUID, ...] = ()


@event("webhooks.words_erasing")
class WordsErasing(Hint, frozen=True, kw_only=True):
    """Asks listeners in the transaction to erase these :attr:`WebhookPayload.words` of messages about the aggregates,
    because the person whom they concern is erased.
    """

    aggregate_ids: tuple[UUID, ...]
    words: tuple[str, ...]


class WebhookKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of event that webhooks may subscribe to, as a domain declares it.

    Who receives an event is decided when it is sent, by the rights that the webhook's owner has then: holders of
    ``permission`` receive every event of the kind, and other users those that concern them. A kind without a permission
    is only for users whom it concerns, and superusers.

    With ``only_newest`` an event replaces an older one of the same aggregate that was not yet tried.
    """

    event: type[Event]
    description: str
    payload_of: Callable[[Any], WebhookPayload]
    permission: str | None = None
    only_newest: bool = False

    @property
    def name(self) -> str:
        return self.event.kind


class WebhookKinds(dict[str, WebhookKind]):
    """The declared kinds, by name."""


def kinds_by_name(kinds: Iterable[WebhookKind]) -> WebhookKinds:
    """The registry. Raises ``ValueError`` when a kind is declared twice."""
    registry = WebhookKinds()
    for kind in kinds:
        if registry.setdefault(kind.name, kind) is not kind:
            raise ValueError(f"webhook kind {kind.name} is declared twice")
    return registry


def message_body(kind: str, occurred_at: datetime, data: Mapping[str, Any]) -> str:
    """The message that is signed and sent, the same in every attempt."""
    return msgspec.json.encode({"type": kind, "timestamp": occurred_at, "data": data}).decode()
