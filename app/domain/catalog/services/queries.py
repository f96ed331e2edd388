from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from app.domain.catalog.dtos import ProductPage, ProductPricePage, ProductRead, StockMovementPage, StockMovementRead
from app.domain.catalog.errors import MovementNotFound, ProductNotFound
from app.domain.catalog.permissions import ORDERS_READ, PRODUCTS_WRITE
from app.domain.catalog.repositories.products import MOVEMENT, MOVEMENT_LIST, PRICE_LIST, PRODUCT, PRODUCT_LIST
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal

PRODUCT_SORT = PRODUCT_LIST.sort_parameter()


@dataclass
class ProductQueries:
    """Reads only, without a transaction. Inactive products are for holders of ``products:write``."""

    reader: Reader
    cursors: CursorCodec

    async def get_product(self, product_id: UUID, viewer: Principal | None) -> ProductRead:
        """Raises ``ProductNotFound``."""
        row = await self.reader.first(PRODUCT, product_id=product_id)
        if row is None or not (row.is_active or _keeps_products(viewer)):
            raise ProductNotFound
        return row.to_read(shows_metadata=_keeps_products(viewer))

    async def list_products(
        self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal | None
    ) -> ProductPage:
        """Active ones; holders of ``products:write`` may ask for others by ``is_active`` among the filters."""
        is_keeper = _keeps_products(viewer)
        shown = {"is_active": filters["is_active"] or [True], "on_offer": not is_keeper or None}
        page = await paginate(self.reader, PRODUCT_LIST, paging, self.cursors, sort=sort, filters={**filters, **shown})
        return page.with_items(ProductPage, [row.to_read(shows_metadata=is_keeper) for row in page.items])

    async def list_movements(
        self, product_id: UUID, paging: PageRequest, viewer: Principal | None
    ) -> StockMovementPage:
        """Raises ``ProductNotFound``."""
        await self._require(product_id)
        only = {"product_id": product_id}
        page = await paginate(self.reader, MOVEMENT_LIST, paging, self.cursors, filters=only)
        return page.with_items(StockMovementPage, [_shown(each, viewer) for each in page.items])

    async def get_movement(self, product_id: UUID, movement_id: UUID, viewer: Principal | None) -> StockMovementRead:
        """Raises ``MovementNotFound``."""
        ids = {"product_id": product_id, "movement_id": movement_id}
        return _shown(await self.reader.one(MOVEMENT, MovementNotFound, **ids), viewer)

    async def list_prices(self, product_id: UUID, paging: PageRequest) -> ProductPricePage:
        """Raises ``ProductNotFound``."""
        await self._require(product_id)
        page = await paginate(self.reader, PRICE_LIST, paging, self.cursors, filters={"product_id": product_id})
        return page.with_items(ProductPricePage, [row.to_read() for row in page.items])

    async def _require(self, product_id: UUID) -> None:
        await self.reader.one(PRODUCT, ProductNotFound, product_id=product_id)


def _shown(movement: StockMovementRead, viewer: Principal | None) -> StockMovementRead:
    """Without the id of the order for viewers who may not read orders."""
    return movement if viewer is not None and viewer.may(ORDERS_READ) else replace(movement, order_id=None)


def _keeps_products(viewer: Principal | None) -> bool:
    return viewer is not None and viewer.may(PRODUCTS_WRITE)
