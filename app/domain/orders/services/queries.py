from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from app.domain.accounts.services.queries import AccountQueries
from app.domain.orders.dtos import (
    OrderEventPage,
    OrderPage,
    OrderRead,
    OrderWithCustomer,
    OrderWithCustomerPage,
    PaymentPage,
    RefundPage,
)
from app.domain.orders.repositories.reads import EVENT_LIST, ITEMS, ORDER, ORDER_LIST, PAYMENT_LIST, REFUND_LIST
from app.domain.orders.rows import ItemRow, OrderRow
from app.domain.orders.services.access import may_read_all, require_readable
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.envelope import Page
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery
from app.lib.security.principal import Principal
from app.lib.wire.dto import project

P = TypeVar("P", bound=Page[Any])
ORDER_SORT = ORDER_LIST.sort_parameter()


@dataclass
class OrderQueries:
    """Reads only, without a transaction."""

    reader: Reader
    cursors: CursorCodec
    accounts: AccountQueries

    async def get_order(self, order_id: UUID, viewer: Principal) -> OrderRead:
        """Raises ``OrderNotFound``."""
        order = await self.require_readable(order_id, viewer)
        return order.to_read((await self.items_of([order_id]))[order_id])

    async def require_readable(self, order_id: UUID, viewer: Principal) -> OrderRow:
        """Raises ``OrderNotFound``, also for another customer's order."""
        return require_readable(await self.reader.first(ORDER, order_id=order_id), viewer)

    async def list_orders(
        self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal
    ) -> OrderPage:
        """All orders for holders of ``orders:read``, else the viewer's own."""
        owner = None if may_read_all(viewer) else viewer.user_id
        filters = {**filters, "owner_id": owner}
        page = await paginate(self.reader, ORDER_LIST, paging, self.cursors, sort=sort, filters=filters)
        items = await self.items_of([row.id for row in page.items])
        return page.with_items(OrderPage, [row.to_read(items[row.id]) for row in page.items])

    async def with_customer(self, order: OrderRead) -> OrderWithCustomer:
        customers = await self.accounts.list_people([order.customer_id])
        return project(OrderWithCustomer, order, customer=customers.get(order.customer_id))

    async def with_customers(self, page: OrderPage) -> OrderWithCustomerPage:
        """In one query for all of them."""
        customers = await self.accounts.list_people(order.customer_id for order in page.items)
        items = [project(OrderWithCustomer, order, customer=customers.get(order.customer_id)) for order in page.items]
        return page.with_items(OrderWithCustomerPage, items)

    async def list_events(self, order_id: UUID, paging: PageRequest, viewer: Principal) -> OrderEventPage:
        """Raises ``OrderNotFound``."""
        return await self._list_of(order_id, EVENT_LIST, OrderEventPage, paging, viewer)

    async def list_payments(self, order_id: UUID, paging: PageRequest, viewer: Principal) -> PaymentPage:
        """Raises ``OrderNotFound``."""
        return await self._list_of(order_id, PAYMENT_LIST, PaymentPage, paging, viewer)

    async def list_refunds(self, order_id: UUID, paging: PageRequest, viewer: Principal) -> RefundPage:
        """Raises ``OrderNotFound``."""
        return await self._list_of(order_id, REFUND_LIST, RefundPage, paging, viewer)

    async def items_of(self, order_ids: Sequence[UUID]) -> Mapping[UUID, list[ItemRow]]:
        """The lines of many orders in one query, by order and sorted by position."""
        found: dict[UUID, list[ItemRow]] = defaultdict(list)
        if order_ids:
            prepared, values = ITEMS.of(order_ids)
            for row in await self.reader.all(prepared, **values):
                found[row.order_id].append(row)
        return found

    async def _list_of(
        self, order_id: UUID, rows: ListQuery[Any], page_type: type[P], paging: PageRequest, viewer: Principal
    ) -> P:
        await self.require_readable(order_id, viewer)
        page: Page[Any] = await paginate(self.reader, rows, paging, self.cursors, filters={"order_id": order_id})
        return page.with_items(page_type, [row.to_read() for row in page.items])
