"""What webhooks are sent about orders: those who see all orders receive all, customers their own."""

from app.domain.orders.events import (
    OrderCancelled,
    OrderChanged,
    OrderDelivered,
    OrderPaid,
    OrderPlaced,
    OrderRefunded,
    OrderShipped,
    OrderTrackingUpdated,
)
from app.domain.orders.permissions import ORDERS_READ
from app.lib.webhooks.kinds import WebhookKind, WebhookPayload


def _payload_of(event: OrderChanged) -> WebhookPayload:
    words = {"reason": event.reason} if isinstance(event, OrderCancelled | OrderRefunded) else {}
    concerns = (event.customer_id,) if event.customer_id else ()
    return WebhookPayload(data=event.data(), words=words, concerns=concerns)


WEBHOOK_KINDS = tuple(
    WebhookKind(description=description, permission=ORDERS_READ, event=event, payload_of=_payload_of)
    for event, description in (
        (OrderPlaced, "An order was placed."),
        (OrderPaid, "An order was paid."),
        (OrderShipped, "An order was sent off."),
        (OrderTrackingUpdated, "The tracking of a shipped order was added, corrected or removed."),
        (OrderDelivered, "An order has arrived."),
        (OrderCancelled, "An order was cancelled, or was not paid in time."),
        (OrderRefunded, "Money of an order goes back, all of it or a part."),
    )
)
