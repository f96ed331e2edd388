from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from app.domain.orders.dtos import OrderEventPage, OrderPage, OrderRead, PaymentPage
from app.domain.orders.repositories.reads import ORDER_SORTS, OrderReads
from app.domain.orders.services.access import sees_all, visible
from app.domain.orders.services.export import export_orders
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal

ORDER_SORT_KEYS = tuple(key.name for key in ORDER_SORTS)


class OrderQueries:
    """What is shown of orders; reads only, without a transaction."""

    def __init__(self, reads: OrderReads) -> None:
        self._reads = reads

    async def order(self, order_id: UUID, viewer: Principal) -> OrderRead:
        """Raises ``OrderNotFound``."""
        order = visible(await self._reads.order(order_id), viewer)
        return order.to_read((await self._reads.items([order_id]))[order_id])

    async def orders(
        self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal
    ) -> OrderPage:
        """All of them for staff, else the viewer's own."""
        owner = None if sees_all(viewer) else viewer.user_id
        page = await self._reads.orders(paging, sort, {**filters, "owner_id": owner})
        items = await self._reads.items([row.id for row in page.items])
        return page.with_items(OrderPage, [row.to_read(items[row.id]) for row in page.items])

    async def events(self, order_id: UUID, paging: PageRequest, viewer: Principal) -> OrderEventPage:
        """Raises ``OrderNotFound``."""
        visible(await self._reads.order(order_id), viewer)
        page = await self._reads.events(order_id, paging)
        return page.with_items(OrderEventPage, [row.to_read() for row in page.items])

    async def payments(self, order_id: UUID, paging: PageRequest, viewer: Principal) -> PaymentPage:
        """Raises ``OrderNotFound``."""
        visible(await self._reads.order(order_id), viewer)
        page = await self._reads.payments(order_id, paging)
        return page.with_items(PaymentPage, [row.to_read() for row in page.items])

    def export(self, filters: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """All orders as CSV, in parts."""
        return export_orders(self._reads, filters)
