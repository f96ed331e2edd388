"""What the OpenAPI document shows of orders after their first state."""

from app.domain.orders.services.export import LINE_COLUMNS, ORDER_COLUMNS, csv_lines
from app.lib.openapi.components import JSONObject
from app.lib.wire.struct_schema import example_id

_TOTAL = {"amount": "39.80", "currency": "EUR"}
_LINE = {
    "product_id": example_id("product_id"),
    "sku": "MUG-BLUE-03",
    "name": "Blue mug",
    "quantity": 2,
    "unit_price": {"amount": "19.90", "currency": "EUR"},
    "total": _TOTAL,
    "refunded_quantity": 2,
}
_PARCEL = "00340434161094042557"
_TRACKING = {"carrier": "DHL", "number": _PARCEL, "url": f"https://track.example.com/{_PARCEL}"}

PAYING: JSONObject = {"payment_processing": True}
PAID: JSONObject = {"status": "paid", "expires_at": None}
CANCELLED: JSONObject = {"status": "cancelled", "expires_at": None}
REFUNDED: JSONObject = {**PAID, "status": "refunded", "version": 3, "refunded": _TOTAL, "items": [_LINE]}
SHIPPED: JSONObject = {**PAID, "status": "shipped", "version": 3, "tracking": _TRACKING}
DELIVERED: JSONObject = {**SHIPPED, "status": "delivered", "version": 4}
EXPORT = csv_lines(
    [
        (*ORDER_COLUMNS, *LINE_COLUMNS),
        (
            *(1001, example_id("order_id"), "pending", example_id("user_id"), "ada.lovelace", "Ada Lovelace"),
            *("EUR", "39.80", "0.00", "2026-01-31T12:00:00Z", "2026-01-31T12:05:00Z", 2),
            *(1, example_id("product_id"), "MUG-BLUE-03", "Blue mug", 2, "19.90", "39.80", 0),
        ),
    ]
).decode()
