from collections.abc import Mapping
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from app.domain.catalog.dtos import ProductPage, ProductPricePage, ProductRead, StockMovementPage
from app.domain.catalog.errors import ProductNotFound
from app.domain.catalog.permissions import ORDERS_READ, PRODUCTS_WRITE
from app.domain.catalog.repositories.products import PRODUCT_SORTS, CatalogReads
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal

PRODUCT_SORT_KEYS = tuple(key.name for key in PRODUCT_SORTS)


class CatalogQueries:
    """What is shown of products; reads only, without a transaction. Inactive ones are for those who keep them."""

    def __init__(self, reads: CatalogReads) -> None:
        self._reads = reads

    async def product(self, product_id: UUID, viewer: Principal | None) -> ProductRead:
        """Raises ``ProductNotFound``."""
        row = await self._reads.product(product_id)
        if row is None or not (row.is_active or _keeps_products(viewer)):
            raise ProductNotFound
        return row.to_read()

    async def products(
        self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal | None
    ) -> ProductPage:
        """Active ones; somebody who keeps products may ask for others by ``is_active`` among the filters."""
        shown = {"is_active": filters["is_active"] or [True], "on_offer": not _keeps_products(viewer) or None}
        page = await self._reads.products(paging, sort, {**filters, **shown})
        return page.with_items(ProductPage, [row.to_read() for row in page.items])

    async def movements(self, product_id: UUID, paging: PageRequest, viewer: Principal | None) -> StockMovementPage:
        """Without the ids of orders for those who may not see them. Raises ``ProductNotFound``."""
        await self._require(product_id)
        page = await self._reads.movements(product_id, paging)
        if viewer is not None and viewer.may(ORDERS_READ):
            return page
        return page.with_items(StockMovementPage, [replace(each, order_id=None) for each in page.items])

    async def prices(self, product_id: UUID, paging: PageRequest) -> ProductPricePage:
        """Raises ``ProductNotFound``."""
        await self._require(product_id)
        page = await self._reads.prices(product_id, paging)
        return page.with_items(ProductPricePage, [row.to_read() for row in page.items])

    async def _require(self, product_id: UUID) -> None:
        if await self._reads.product(product_id) is None:
            raise ProductNotFound


def _keeps_products(viewer: Principal | None) -> bool:
    return viewer is not None and viewer.may(PRODUCTS_WRITE)
