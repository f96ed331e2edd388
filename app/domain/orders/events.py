"""What is told of orders after the commit: ids only, so that listeners read what they need."""

from uuid import UUID

from app.lib.events import Event, event


class OrderChanged(Event, frozen=True, kw_only=True):
    """The base of what happens to orders."""

    customer_id: UUID | None
    status: str


@event("order.placed")
class OrderPlaced(OrderChanged, frozen=True, kw_only=True):
    """An order was placed."""


@event("order.paid")
class OrderPaid(OrderChanged, frozen=True, kw_only=True):
    """An order was paid."""


@event("order.shipped")
class OrderShipped(OrderChanged, frozen=True, kw_only=True):
    """An order was sent off."""


@event("order.delivered")
class OrderDelivered(OrderChanged, frozen=True, kw_only=True):
    """An order has arrived."""


@event("order.cancelled")
class OrderCancelled(OrderChanged, frozen=True, kw_only=True):
    """An order was cancelled, by somebody or because nobody paid in time."""


@event("order.refunded")
class OrderRefunded(OrderChanged, frozen=True, kw_only=True):
    """Money of an order goes back: all of it where the status is refunded, else a part."""


EVENT_OF: dict[str, type[OrderChanged]] = {
    "placed": OrderPlaced,
    "paid": OrderPaid,
    "shipped": OrderShipped,
    "delivered": OrderDelivered,
    "cancelled": OrderCancelled,
    "expired": OrderCancelled,
    "refunded": OrderRefunded,
}
"""By the kind of a line in the timeline."""
