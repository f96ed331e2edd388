from collections.abc import Mapping
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from app.domain.catalog.dtos import ProductPage, ProductPricePage, ProductRead, StockMovementPage
from app.domain.catalog.errors import ProductNotFound
from app.domain.catalog.permissions import ORDERS_READ, PRODUCTS_WRITE
from app.domain.catalog.repositories.products import PRODUCT_SORTS, ProductReads
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal

PRODUCT_SORT_KEYS = tuple(key.name for key in PRODUCT_SORTS)


class ProductQueries:
    """Reads only, without a transaction. Inactive products are for holders of ``products:write``."""

    def __init__(self, reads: ProductReads) -> None:
        self._reads = reads

    async def get_product(self, product_id: UUID, viewer: Principal | None) -> ProductRead:
        """Raises ``ProductNotFound``."""
        row = await self._reads.get_product(product_id)
        if row is None or not (row.is_active or _keeps_products(viewer)):
            raise ProductNotFound
        return row.to_read()

    async def list_products(
        self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal | None
    ) -> ProductPage:
        """Active ones; holders of ``products:write`` may ask for others by ``is_active`` among the filters."""
        shown = {"is_active": filters["is_active"] or [True], "on_offer": not _keeps_products(viewer) or None}
        page = await self._reads.list_products(paging, sort, {**filters, **shown})
        return page.with_items(ProductPage, [row.to_read() for row in page.items])

    async def list_movements(
        self, product_id: UUID, paging: PageRequest, viewer: Principal | None
    ) -> StockMovementPage:
        """Without the ids of orders for viewers who may not read these. Raises ``ProductNotFound``."""
        await self._require(product_id)
        page = await self._reads.list_movements(product_id, paging)
        if viewer is not None and viewer.may(ORDERS_READ):
            return page
        return page.with_items(StockMovementPage, [replace(each, order_id=None) for each in page.items])

    async def list_prices(self, product_id: UUID, paging: PageRequest) -> ProductPricePage:
        """Raises ``ProductNotFound``."""
        await self._require(product_id)
        page = await self._reads.list_prices(product_id, paging)
        return page.with_items(ProductPricePage, [row.to_read() for row in page.items])

    async def _require(self, product_id: UUID) -> None:
        if await self._reads.get_product(product_id) is None:
            raise ProductNotFound


def _keeps_products(viewer: Principal | None) -> bool:
    return viewer is not None and viewer.may(PRODUCTS_WRITE)
