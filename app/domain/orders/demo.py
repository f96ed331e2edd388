"""Demo orders: unpaid, paid, shipped and refunded ones."""

from functools import partial
from uuid import UUID

from app.domain.orders.dtos import OrderCreate, OrderItemCreate, OrderShip, RefundCreate, TrackingCreate
from app.domain.orders.services.orders import OrderService
from app.domain.orders.services.pay import PaymentService
from app.domain.orders.services.place import PlaceService
from app.domain.orders.services.provider import PaymentProvider
from app.domain.orders.services.refund import RefundService
from app.lib.audit import SYSTEM
from app.lib.db.engine import Database
from app.lib.db.versions import IfMatch
from app.lib.domain import Demo
from app.lib.security.principal import Principal

ORDERS = (
    ("alan@example.com", (("MUG-BLUE-03", 2), ("NOTE-A5-DOT", 3)), "Please ring twice.", "pending"),
    ("barbara@example.com", (("LAMP-DESK-01", 1),), None, "paid"),
    ("konrad@example.com", (("POT-TEA-12", 1), ("PEN-FINE-BK", 10)), None, "paid"),
    ("alan@example.com", (("POT-TEA-12", 1),), None, "shipped"),
    ("grace@example.com", (("NOTE-A5-DOT", 2), ("PEN-FINE-BK", 1)), "A gift.", "refunded"),
)
"""Customer, products (by SKU) with quantities, notes, status. The first order is not paid, and so it expires."""
PAID_BY = "test"
TRACKING = TrackingCreate("Example Post", "EX123456789", "https://tracking.example.com/EX123456789")
REASON = "The parcel was damaged on its way."


async def seed(demo: Demo) -> None:
    """Places the orders. They are paid, shipped and refunded after the commit, where the provider is the test provider,
    by the first of the people.
    """
    place_service = demo.services.build(PlaceService, demo.unit, SYSTEM)
    staff = next(iter(demo.people.values()))
    for number, (email, lines, notes, status) in enumerate(ORDERS, 1):
        customer = demo.people[email]
        items = [OrderItemCreate(demo.ids[sku], quantity) for sku, quantity in lines]
        order = await place_service.place(OrderCreate(items, notes, {"shop_id": f"S-{number}"}), customer)
        if status != "pending" and PAID_BY in demo.services.get(PaymentProvider).methods:
            demo.afterwards.append(partial(_complete, demo, order.id, status, customer, staff))


async def _complete(demo: Demo, order_id: UUID, status: str, customer: Principal, staff: Principal) -> None:
    build = demo.services.build
    await build(PaymentService).pay(order_id, PAID_BY, IfMatch(), customer)
    async with demo.services.get(Database).independent() as unit:
        if status == "shipped":
            await build(OrderService, unit, SYSTEM).ship(order_id, OrderShip(TRACKING), IfMatch(), staff)
        elif status == "refunded":
            refund = RefundCreate(reason=REASON)
            await build(RefundService, unit, SYSTEM).refund(order_id, refund, IfMatch(), staff)
