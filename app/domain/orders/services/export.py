"""All orders as CSV (RFC 4180), read in batches along the keyset, so that memory does not grow with their number."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from app.domain.accounts.dtos import PersonRead
from app.domain.orders.repositories.reads import ORDER_LIST
from app.domain.orders.rows import ItemRow, OrderRow
from app.domain.orders.services.queries import OrderQueries
from app.lib.pagination.envelope import Page
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest

ExportRows = Literal["line", "order"]
BATCH = 250
"""Orders, with at most a hundred lines each."""
ORDER_COLUMNS = (
    *("number", "id", "status", "customer_id", "customer_username", "customer_name", "currency", "total", "refunded"),
    *("created_at", "updated_at", "version"),
)
LINE_COLUMNS = ("line", "product_id", "sku", "name", "quantity", "unit_price", "line_total", "refunded_quantity")
"""Of notes and reasons there are none: they are for the people who handle the order."""

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take for the start of a formula; the last ones are the wide forms of the first (OWASP)."""


@dataclass
class OrderExport:
    """Reads only, without a transaction."""

    queries: OrderQueries

    async def lines(self, filters: Mapping[str, Any], rows: ExportRows) -> AsyncIterator[bytes]:
        """The header and one row per line of an order, or per order; oldest first. Each batch is a read of its own, so
        a slow client holds no connection; an order is as it was when its batch was read.

        The first batch is read before there is a row, so that what is wrong with the request is an error and not half a
        file. Raises ``ValidationFailed``.
        """
        return self._lines(filters, rows, await self._page(filters, None))

    async def _lines(self, filters: Mapping[str, Any], rows: ExportRows, page: Page[OrderRow]) -> AsyncIterator[bytes]:
        by_line = rows == "line"
        yield csv_lines([(*ORDER_COLUMNS, *(LINE_COLUMNS if by_line else ()))])
        while page.items:
            people = await self.queries.accounts.list_people(each.customer_id for each in page.items)
            items = await self.queries.items_of([each.id for each in page.items] if by_line else [])
            cells = [(each, _order_cells(each, people.get(each.customer_id))) for each in page.items]
            if by_line:
                yield csv_lines(
                    (*order, *_line_cells(each, row.currency)) for row, order in cells for each in items[row.id]
                )
            else:
                yield csv_lines(order for _, order in cells)
            if page.next_cursor is None:
                return
            page = await self._page(filters, page.next_cursor)

    async def _page(self, filters: Mapping[str, Any], cursor: str | None) -> Page[OrderRow]:
        request = PageRequest(page=None, page_size=BATCH, cursor=cursor, include_total=False)
        reader, cursors = self.queries.reader, self.queries.cursors
        return await paginate(reader, ORDER_LIST, request, cursors, sort="created_at", filters=filters)


def _order_cells(row: OrderRow, customer: PersonRead | None) -> tuple[object, ...]:
    return (
        row.number,
        row.id,
        row.status,
        row.customer_id,
        customer and customer.username,
        customer and customer.name,
        row.currency,
        row.total.amount,
        row.refunded.amount,
        _instant(row.created_at),
        _instant(row.updated_at),
        row.version,
    )


def _line_cells(row: ItemRow, currency: str) -> tuple[object, ...]:
    line = row.to_read(currency)
    return (
        row.position + 1,
        line.product_id,
        line.sku,
        line.name,
        line.quantity,
        line.unit_price.amount,
        line.total.amount,
        line.refunded_quantity,
    )


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def csv_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows of CSV in UTF-8. Text that would be a formula gets an apostrophe in front (OWASP, CSV injection); numbers
    stay as they are.
    """
    text = io.StringIO()
    csv.writer(text).writerows([_inert(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _inert(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_STARTS_FORMULA) else cell
