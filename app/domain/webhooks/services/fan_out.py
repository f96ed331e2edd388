from app.domain.webhooks.repositories import DeliveryRepository, WebhookRepository
from app.domain.webhooks.services.enqueueing import EnqueueDelivery
from app.lib.db.uow import UnitOfWork
from app.lib.webhooks.kinds import WebhookEvent, WebhookKinds


class FanOut:
    """From an event to one delivery for each webhook that wants it and may have it."""

    def __init__(self, kinds: WebhookKinds, enqueue: EnqueueDelivery) -> None:
        self._kinds = kinds
        self._enqueue = enqueue

    async def __call__(self, event: WebhookEvent, unit: UnitOfWork) -> int:
        """Makes and enqueues the deliveries in the unit's transaction; returns how many are new.

        Sending the same event out again makes none twice. Raises ``KeyError`` for a kind that nobody declared.
        """
        kind = self._kinds[event.kind]
        webhooks = WebhookRepository(session=unit.session)
        recipients = await webhooks.recipients(kind.name, kind.permission, event.concerns)
        if not recipients:
            return 0
        deliveries = DeliveryRepository(session=unit.session)
        added = await deliveries.add_new(recipients, event.id, event.kind, event.body())
        for delivery_id in added:
            await self._enqueue(unit, delivery_id)
        return len(added)
