from app.lib.domain import Permission

PRODUCTS_WRITE = "products:write"

PERMISSIONS = (Permission(PRODUCTS_WRITE, "Create, change and deactivate products, and keep their stock."),)
