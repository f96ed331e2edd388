"""From events to webhooks: one listener for each kind that has an event behind it."""

from collections.abc import Callable
from typing import Any

from app.domain.webhooks.services.fan_out import FanOut
from app.lib.events import AfterCommit, Event, EventEnvelope, after_commit
from app.lib.jobs import JobContext
from app.lib.webhooks.kinds import Told, WebhookEvent, WebhookKinds


def webhook_listeners(kinds: WebhookKinds) -> tuple[AfterCommit[Any], ...]:
    """Listeners that make a delivery for every webhook that wants the event and may have it."""
    return tuple(
        _listener(name, kind.event, kind.tell)
        for name, kind in kinds.items()
        if kind.event is not None and kind.tell is not None
    )


def _listener(kind: str, event: type[Event], tell: Callable[[Any], Told]) -> AfterCommit[Any]:
    @after_commit(f"webhooks:{kind}", event)
    async def fan_out(envelope: EventEnvelope[Event], context: JobContext) -> None:
        told = tell(envelope.event)
        message = WebhookEvent(
            id=envelope.id, kind=kind, occurred_at=envelope.created_at, data=told.data, concerns=told.concerns
        )
        async with context.unit() as unit:
            await context.service(FanOut)(message, unit)

    return fan_out
