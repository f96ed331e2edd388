from app.domain.orders.errors import OrderNotFound
from app.domain.orders.machine import Role
from app.domain.orders.permissions import ORDERS_READ, ORDERS_WRITE
from app.domain.orders.rows import OrderRow
from app.lib.security.principal import Principal


def sees_all(viewer: Principal) -> bool:
    """Staff, of whichever kind."""
    return viewer.may(ORDERS_READ) or viewer.may(ORDERS_WRITE)


def visible(order: OrderRow | None, viewer: Principal) -> OrderRow:
    """The order. Raises ``OrderNotFound`` also for somebody else's, so that nobody learns that it exists."""
    if order is None or not (order.customer_id == viewer.user_id or sees_all(viewer)):
        raise OrderNotFound
    return order


def roles_of(viewer: Principal, order: OrderRow) -> frozenset[Role]:
    """What somebody is to an order."""
    found = {Role.CUSTOMER} if order.customer_id == viewer.user_id else set[Role]()
    return frozenset(found | {Role.STAFF}) if viewer.may(ORDERS_WRITE) else frozenset(found)
