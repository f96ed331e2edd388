"""What webhooks tell about orders: to whoever sees all of them, and to customers about their own."""

from app.domain.orders.events import (
    OrderCancelled,
    OrderChanged,
    OrderDelivered,
    OrderPaid,
    OrderPlaced,
    OrderRefunded,
    OrderShipped,
)
from app.domain.orders.permissions import ORDERS_READ
from app.lib.webhooks.kinds import Told, WebhookKind


def _tell(event: OrderChanged) -> Told:
    concerns = (event.customer_id,) if event.customer_id else ()
    return Told(data={"order_id": str(event.aggregate_id), "status": event.status}, concerns=concerns)


WEBHOOK_KINDS = tuple(
    WebhookKind(name=event.kind, description=description, permission=ORDERS_READ, event=event, tell=_tell)
    for event, description in (
        (OrderPlaced, "An order was placed."),
        (OrderPaid, "An order was paid."),
        (OrderShipped, "An order was sent off."),
        (OrderDelivered, "An order has arrived."),
        (OrderCancelled, "An order was cancelled, or nobody paid in time."),
        (OrderRefunded, "Money of an order goes back, all of it or a part."),
    )
)
