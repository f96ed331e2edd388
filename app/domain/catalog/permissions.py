from app.lib.domain import Permission

PRODUCTS_WRITE = "products:write"
ORDERS_READ = "orders:read"
"""Not declared here but by orders. Its holders see for which order stock was taken."""

PERMISSIONS = (Permission(PRODUCTS_WRITE, "Create, update and delete products, and adjust their stock."),)
