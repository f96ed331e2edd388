"""From the outbox to webhooks: one listener for each kind that has an event behind it."""

from collections.abc import Callable
from typing import Any

from app.domain.webhooks.services.fan_out import FanOut
from app.lib.jobs import JobContext
from app.lib.outbox import AnySubscriber, Event, Happened, subscriber
from app.lib.webhooks.kinds import Told, WebhookEvent, WebhookKinds


def webhook_subscribers(kinds: WebhookKinds) -> tuple[AnySubscriber, ...]:
    """Listeners that make a delivery for every webhook that wants the event and may have it."""
    return tuple(
        _subscriber(name, kind.event, kind.tell)
        for name, kind in kinds.items()
        if kind.event is not None and kind.tell is not None
    )


def _subscriber(kind: str, event: type[Event], tell: Callable[[Any], Told]) -> AnySubscriber:
    @subscriber(f"webhooks:{kind}", event)
    async def fan_out(happened: Happened[Event], context: JobContext) -> None:
        told = tell(happened.event)
        message = WebhookEvent(
            id=happened.id, kind=kind, occurred_at=happened.created_at, data=told.data, concerns=told.concerns
        )
        async with context.unit() as unit:
            await context.service(FanOut)(message, unit)

    return fan_out
