from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from app.domain.orders.dtos import OrderEventPage, OrderPage, OrderRead, PaymentPage
from app.domain.orders.repositories.reads import ORDER_SORTS, OrderReads
from app.domain.orders.services.access import may_read_all, require_readable
from app.domain.orders.services.export import export_orders
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal

ORDER_SORT_KEYS = tuple(key.name for key in ORDER_SORTS)


class OrderQueries:
    """Reads only, without a transaction."""

    def __init__(self, reads: OrderReads) -> None:
        self._reads = reads

    async def get_order(self, order_id: UUID, viewer: Principal) -> OrderRead:
        """Raises ``OrderNotFound``."""
        order = require_readable(await self._reads.get_order(order_id), viewer)
        return order.to_read((await self._reads.list_items([order_id]))[order_id])

    async def list_orders(
        self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal
    ) -> OrderPage:
        """All orders for holders of ``orders:read``, else the viewer's own."""
        owner = None if may_read_all(viewer) else viewer.user_id
        page = await self._reads.list_orders(paging, sort, {**filters, "owner_id": owner})
        items = await self._reads.list_items([row.id for row in page.items])
        return page.with_items(OrderPage, [row.to_read(items[row.id]) for row in page.items])

    async def list_events(self, order_id: UUID, paging: PageRequest, viewer: Principal) -> OrderEventPage:
        """Raises ``OrderNotFound``."""
        require_readable(await self._reads.get_order(order_id), viewer)
        page = await self._reads.list_events(order_id, paging)
        return page.with_items(OrderEventPage, [row.to_read() for row in page.items])

    async def list_payments(self, order_id: UUID, paging: PageRequest, viewer: Principal) -> PaymentPage:
        """Raises ``OrderNotFound``."""
        require_readable(await self._reads.get_order(order_id), viewer)
        page = await self._reads.list_payments(order_id, paging)
        return page.with_items(PaymentPage, [row.to_read() for row in page.items])

    def export(self, filters: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """All orders as CSV, in chunks."""
        return export_orders(self._reads, filters)
