from app.domain.catalog.permissions import ORDERS_READ
from app.lib.domain import Permission

ORDERS_WRITE = "orders:write"

__all__ = ["ORDERS_READ", "ORDERS_WRITE", "PERMISSIONS"]

PERMISSIONS = (
    Permission(ORDERS_READ, "See all orders."),
    Permission(ORDERS_WRITE, "Cancel, ship, deliver and refund orders."),
)
