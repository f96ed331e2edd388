"""From events to deliveries: one listener for each kind of webhook."""

from app.domain.webhooks.services.fan_out import fan_out
from app.lib.events import Event, EventEnvelope, Listener, after_commit
from app.lib.jobs import JobContext
from app.lib.webhooks.kinds import WebhookKind, WebhookKinds


def webhook_listeners(kinds: WebhookKinds) -> tuple[Listener, ...]:
    """Listeners that make a delivery for every webhook that is subscribed and whose owner may receive the event."""

    def listener_for(kind: WebhookKind) -> Listener:
        @after_commit(f"webhooks:{kind.name}", kind.event)
        async def deliver(envelope: EventEnvelope[Event], context: JobContext) -> None:
            async with context.unit() as unit:
                await fan_out(unit, kind, envelope)

        return deliver

    return tuple(map(listener_for, kinds.values()))
