"""What can be subscribed to, and who may get it."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.lib.events import Event


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is said about an event: see :class:`WebhookEvent`."""

    data: dict[str, Any]
    concerns: tuple[UUID, ...] = ()


class WebhookKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of event that endpoints may subscribe to, as a domain declares it.

    Who gets an event is decided when it is sent out, by the rights that the endpoint's owner has then: holders of
    ``permission`` get every event of the kind, and whoever an event concerns gets that one. A kind without a
    permission goes to nobody but those whom it concerns (and superusers).
    """

    name: str
    description: str
    permission: str | None = None
    event: type[Event] | None = None
    """The event behind it; None where a domain sends its events out by itself."""
    tell: Callable[[Any], Told] | None = None
    """What of the event goes out."""


class WebhookEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has happened. ``data`` must hold nothing that a holder of the kind's permission may not see.

    ``id`` is the same however often the event is sent out. ``concerns`` are the users whose own event it is.
    """

    id: UUID
    kind: str
    occurred_at: datetime
    data: dict[str, Any]
    concerns: tuple[UUID, ...] = ()

    def body(self) -> str:
        """The message that is signed and sent, the same in every attempt."""
        message = {"type": self.kind, "timestamp": self.occurred_at, "data": self.data}
        return msgspec.json.encode(message).decode()


class WebhookKinds(dict[str, WebhookKind]):
    """The declared kinds, by name."""


def kinds_by_name(kinds: Iterable[WebhookKind]) -> WebhookKinds:
    """The registry. Raises ``ValueError`` when a kind is declared twice."""
    registry = WebhookKinds()
    for kind in kinds:
        if kind.name in registry:
            raise ValueError(f"webhook kind {kind.name} is declared twice")
        registry[kind.name] = kind
    return registry
