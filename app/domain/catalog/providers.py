"""What the controllers of the catalogue, and of the domains above, have injected."""

from typing import Any

from litestar import Request
from litestar.di import Provide

from app.domain.catalog.repositories.products import ProductReads
from app.domain.catalog.services.products import ProductService
from app.domain.catalog.services.queries import ProductQueries
from app.domain.catalog.services.stock import StockService
from app.lib.audit import Origin
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.http.injection import Injected
from app.lib.pagination.cursor import CursorCodec
from app.lib.security.policies import find_principal
from app.lib.security.principal import Principal


async def provide_product_queries(reader: Injected[Reader], cursors: Injected[CursorCodec]) -> ProductQueries:
    return ProductQueries(ProductReads(reader, cursors))


async def provide_products(unit: Injected[UnitOfWork], origin: Injected[Origin]) -> ProductService:
    return ProductService(unit, origin)


async def provide_stock(unit: Injected[UnitOfWork]) -> StockService:
    return StockService(unit)


async def provide_viewer(request: Request[Any, Any, Any]) -> Principal | None:
    """Whoever is signed in, on routes that are open to everybody."""
    return find_principal(request)


PROVIDERS = {
    "product_queries": Provide(provide_product_queries),
    "products": Provide(provide_products),
    "stock": Provide(provide_stock),
    "viewer": Provide(provide_viewer),
}
