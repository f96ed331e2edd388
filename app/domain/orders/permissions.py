from app.lib.domain import Permission

ORDERS_READ = "orders:read"
ORDERS_WRITE = "orders:write"

PERMISSIONS = (
    Permission(ORDERS_READ, "List and read all orders."),
    Permission(ORDERS_WRITE, "Cancel, ship, deliver and refund orders, and set their metadata."),
)
