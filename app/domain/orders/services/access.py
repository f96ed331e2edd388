from app.domain.orders.errors import OrderNotFound
from app.domain.orders.machine import Role
from app.domain.orders.permissions import ORDERS_READ, ORDERS_WRITE
from app.domain.orders.rows import OrderRow
from app.lib.security.principal import Principal


def sees_all(viewer: Principal) -> bool:
    """Whether somebody reads the orders of others."""
    return viewer.may(ORDERS_READ)


def visible(order: OrderRow | None, viewer: Principal) -> OrderRow:
    """The order. Raises ``OrderNotFound`` also for somebody else's, so that nobody learns that it exists."""
    if order is None or not (order.customer_id == viewer.user_id or sees_all(viewer)):
        raise OrderNotFound
    return order


def within_reach(order: OrderRow | None, actor: Principal) -> OrderRow:
    """The order, for somebody who wants to change it: who may do that alone knows its id from elsewhere and sees it
    in the answer, but reads none. Raises ``OrderNotFound``.
    """
    return order if order is not None and actor.may(ORDERS_WRITE) else visible(order, actor)


def roles_of(viewer: Principal, order: OrderRow) -> frozenset[Role]:
    """What somebody is to an order."""
    found = {Role.CUSTOMER} if order.customer_id == viewer.user_id else set[Role]()
    return frozenset(found | {Role.STAFF}) if viewer.may(ORDERS_WRITE) else frozenset(found)
