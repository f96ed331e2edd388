from app.lib.domain import Permission

PRODUCTS_WRITE = "products:write"
ORDERS_READ = "orders:read"
"""Declared by the orders; here it opens the ids of orders in the ledger of stock."""

PERMISSIONS = (Permission(PRODUCTS_WRITE, "Create, change and deactivate products, and keep their stock."),)
