from app.domain.orders.errors import OrderNotFound
from app.domain.orders.machine import Role
from app.domain.orders.permissions import ORDERS_READ, ORDERS_WRITE
from app.domain.orders.rows import OrderRow
from app.lib.security.principal import Principal


def may_read_all(viewer: Principal) -> bool:
    """Whether the viewer reads the orders of others."""
    return viewer.may(ORDERS_READ)


def require_readable(order: OrderRow | None, viewer: Principal) -> OrderRow:
    """The order. Raises ``OrderNotFound`` also for another customer's, so that its existence stays unknown."""
    if order is None or not (order.customer_id == viewer.user_id or may_read_all(viewer)):
        raise OrderNotFound
    return order


def require_writable(order: OrderRow | None, actor: Principal) -> OrderRow:
    """The order. Raises ``OrderNotFound``.

    Holders of ``orders:write`` may change an order whose id they know, but cannot list or read orders.
    """
    return order if order is not None and actor.may(ORDERS_WRITE) else require_readable(order, actor)


def roles_of(viewer: Principal, order: OrderRow) -> frozenset[Role]:
    """What the viewer is to the order."""
    found = {Role.CUSTOMER} if order.customer_id == viewer.user_id else set[Role]()
    return frozenset(found | {Role.STAFF}) if viewer.may(ORDERS_WRITE) else frozenset(found)
