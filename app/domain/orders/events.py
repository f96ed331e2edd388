"""Events of orders hold ids only, so listeners read what they need."""

from uuid import UUID

from app.lib.events import Event, event


class OrderChanged(Event, frozen=True, kw_only=True):
    """The base of all events of orders."""

    number: int
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
    """An order was shipped."""


@event("order.delivered")
class OrderDelivered(OrderChanged, frozen=True, kw_only=True):
    """An order was delivered."""


@event("order.cancelled")
class OrderCancelled(OrderChanged, frozen=True, kw_only=True):
    """An order was cancelled, by a person or because it was not paid in time."""


@event("order.refunded")
class OrderRefunded(OrderChanged, frozen=True, kw_only=True):
    """An order was refunded: all of it where the status is refunded, else a part."""


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
