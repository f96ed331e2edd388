"""The channel of an order, for its customer and for staff."""

from app.domain.orders.events import ORDER_EVENTS, OrderChanged
from app.domain.orders.services.queries import OrderQueries
from app.lib.realtime.channels import ChannelKind, Publication, parse_id
from app.lib.security.principal import Principal


async def may_listen(principal: Principal, name: str, orders: OrderQueries) -> None:
    """Whether the person sees the order."""
    await orders.require_readable(parse_id(name), principal)


def _channel_of(event: OrderChanged) -> str:
    return f"orders:{event.aggregate_id}"


CHANNEL_KINDS = (
    ChannelKind(
        name="orders",
        may_subscribe=may_listen,
        reserved_events=frozenset({"order", "payment", "product"}),
        publications=tuple(
            Publication(event=event, channel=_channel_of, data=OrderChanged.data) for event in ORDER_EVENTS
        ),
    ),
)
