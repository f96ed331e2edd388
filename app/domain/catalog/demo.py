"""Demo products."""

from typing import NamedTuple

from app.domain.catalog.dtos import ProductCreate
from app.domain.catalog.services.products import ProductService
from app.lib.audit import SYSTEM
from app.lib.domain import Demo
from app.lib.wire.money import Money


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


async def seed(demo: Demo) -> None:
    """Creates the products."""
    products = demo.services.build(ProductService, demo.unit, SYSTEM)
    created = await products.create_many(
        [
            ProductCreate(
                sku=each.sku,
                name=each.name,
                price=Money(each.price, "EUR"),
                stock=each.stock,
                tags=list(each.tags),
                is_active=each.is_active,
            )
            for each in PRODUCTS
        ]
    )
    demo.ids.update({product.sku: product.id for product in created})
