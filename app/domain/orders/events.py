"""Events of orders hold what a subscriber needs to act on them; the rest is read by the order's id."""

from typing import Any
from uuid import UUID

import msgspec

from app.domain.orders.dtos import TrackingRead
from app.lib.events import Event, event
from app.lib.wire.money import Money


class OrderChanged(Event, frozen=True, kw_only=True):
    """The base of all events of orders. ``amount`` is the money that it concerns."""

    number: int
    customer_id: UUID | None
    status: str
    actor: str
    amount: Money

    def data(self) -> dict[str, Any]:
        """What webhooks, channels and the list of events say about it: not the reason, which is what someone wrote."""
        about: dict[str, Any] = msgspec.to_builtins(self)
        shown = {name: about[name] for name in about if name not in _NOT_SHOWN}
        return {"order_id": str(self.aggregate_id), **shown}


_NOT_SHOWN = frozenset({"aggregate_id", "aggregate_version", "customer_id", "reason"})


@event("order.placed")
class OrderPlaced(OrderChanged, frozen=True, kw_only=True):
    """An order was placed."""


@event("order.paid")
class OrderPaid(OrderChanged, frozen=True, kw_only=True):
    """An order was paid."""


@event("order.shipped")
class OrderShipped(OrderChanged, frozen=True, kw_only=True):
    """An order was shipped."""

    tracking: TrackingRead | None


@event("order.tracking_updated")
class OrderTrackingUpdated(OrderChanged, frozen=True, kw_only=True):
    """The tracking of a shipped order was added, corrected or removed."""

    tracking: TrackingRead | None


@event("order.delivered")
class OrderDelivered(OrderChanged, frozen=True, kw_only=True):
    """An order was delivered."""


@event("order.cancelled")
class OrderCancelled(OrderChanged, frozen=True, kw_only=True):
    """An order was cancelled, by a person or because it was not paid in time; a paid one is refunded."""

    reason: str | None
    refund_id: UUID | None


@event("order.refunded")
class OrderRefunded(OrderChanged, frozen=True, kw_only=True):
    """An order was refunded: all of it where the status is refunded, else a part."""

    reason: str | None
    refund_id: UUID


EVENT_OF: dict[str, type[OrderChanged]] = {
    "placed": OrderPlaced,
    "paid": OrderPaid,
    "shipped": OrderShipped,
    "tracking_updated": OrderTrackingUpdated,
    "delivered": OrderDelivered,
    "cancelled": OrderCancelled,
    "expired": OrderCancelled,
    "refunded": OrderRefunded,
}
"""By the kind of a line in the timeline."""
ORDER_EVENTS = tuple(dict.fromkeys(EVENT_OF.values()))
