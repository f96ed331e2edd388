"""Demo orders, paid and unpaid."""

from functools import partial

from app.domain.orders.dtos import OrderCreate, OrderItemCreate
from app.domain.orders.services.pay import PaymentService
from app.domain.orders.services.place import PlaceService
from app.domain.orders.services.provider import PaymentProvider
from app.lib.audit import SYSTEM
from app.lib.db.versions import IfMatch
from app.lib.domain import Demo

ORDERS = (
    ("alan@example.com", (("MUG-BLUE-03", 2), ("NOTE-A5-DOT", 3)), "Please ring twice."),
    ("barbara@example.com", (("LAMP-DESK-01", 1),), None),
    ("konrad@example.com", (("POT-TEA-12", 1), ("PEN-FINE-BK", 10)), None),
)
"""Customer, products (by SKU) with quantities, and notes. The first order is not paid, and so it expires."""
PAID_BY = "test"


async def seed(demo: Demo) -> None:
    """Places the orders; all but the first are paid after the commit, where the provider is the test provider."""
    services = demo.services
    place_service, payments = services.build(PlaceService, demo.unit, SYSTEM), services.build(PaymentService)
    for number, (email, lines, notes) in enumerate(ORDERS):
        customer = demo.people[email]
        items = [OrderItemCreate(demo.ids[sku], quantity) for sku, quantity in lines]
        order = await place_service.place(OrderCreate(items, notes, {"shop_id": f"S-{number + 1}"}), customer)
        if number and PAID_BY in services.get(PaymentProvider).methods:
            demo.afterwards.append(partial(payments.pay, order.id, PAID_BY, IfMatch(), customer))
