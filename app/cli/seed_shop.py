"""The products of ``app seed``, and the first orders of them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from app.cli.runtime import Office
from app.domain.catalog.dtos import ProductCreate
from app.domain.orders.dtos import OrderCreate, OrderItemCreate, OrderRead
from app.lib.db.versions import IfMatch
from app.lib.security.principal import Principal
from app.lib.wire.money import Money

Placed = tuple[OrderRead, Principal]


class Goods(NamedTuple):
    """A product; the price is in euros."""

    sku: str
    name: str
    price: str
    stock: int
    tags: tuple[str, ...]
    is_active: bool = True


PRODUCTS = (
    Goods("MUG-BLUE-03", "Blue mug", "12.90", 120, ("kitchen",)),
    Goods("MUG-WHITE-03", "White mug", "11.90", 80, ("kitchen",)),
    Goods("POT-TEA-12", "Teapot for four", "39.00", 25, ("kitchen",)),
    Goods("LAMP-DESK-01", "Desk lamp", "64.50", 18, ("light", "office")),
    Goods("LAMP-STAR-07", "Lamp in the shape of a star", "29.95", 3, ("light",)),
    Goods("NOTE-A5-DOT", "Notebook, A5, dotted", "8.40", 400, ("office", "paper")),
    Goods("PEN-FINE-BK", "Fine black pen", "2.20", 1_000, ("office",)),
    Goods("CHAIR-OAK-02", "Oak chair", "189.00", 6, ("furniture",)),
    Goods("MAP-STARS-60", "Map of the northern stars", "24.00", 0, ("paper",)),
    Goods("GLOBE-OLD-01", "Globe, last year's", "75.00", 2, ("office",), is_active=False),
)

ORDERS = (
    ("alan@example.com", ((0, 2), (5, 3)), "Please ring twice."),
    ("barbara@example.com", ((3, 1),), None),
    ("konrad@example.com", ((2, 1), (6, 10)), None),
)
"""Who wants which products (by their place in the list) and how many. The first is not paid, and so it expires."""
PAID_BY = "test"


async def seed_shop(at: Office, customers: Mapping[str, Principal]) -> list[Placed]:
    """Adds them to the office's transaction. Customers are found by their address."""
    products = await at.products.create_many([_product(each) for each in PRODUCTS])
    placed: list[Placed] = []
    for email, wanted, notes in ORDERS:
        lines = [OrderItemCreate(products[number].id, quantity) for number, quantity in wanted]
        customer = customers[email]
        placed.append((await at.place_service.place(OrderCreate(lines, notes), customer), customer))
    return placed


async def pay_for(at: Office, placed: Iterable[Placed]) -> None:
    """Outside of any transaction, since it calls the provider."""
    for order, customer in placed:
        await at.payments.pay(order.id, PAID_BY, IfMatch(), customer)


def _product(goods: Goods) -> ProductCreate:
    return ProductCreate(
        sku=goods.sku,
        name=goods.name,
        price=Money(goods.price, "EUR"),
        stock=goods.stock,
        tags=list(goods.tags),
        is_active=goods.is_active,
    )
