"""All orders as CSV (RFC 4180), read in batches along the keyset, so that memory does not grow with their number."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from app.domain.orders.repositories.reads import OrderReads
from app.domain.orders.rows import OrderRow
from app.lib.csv_lines import csv_lines
from app.lib.pagination.parameters import PageRequest
from app.lib.wire.money import Money

BATCH = 1_000
COLUMNS = ("id", "status", "customer_id", "currency", "total", "refunded", "created_at", "updated_at", "version")
"""No text that customers wrote: spreadsheets would run it."""


async def export_orders(reads: OrderReads, filters: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """The header and one line an order, oldest first. Each batch is a read of its own, so no connection is held while
    a slow client takes what it was sent; orders that change meanwhile are as they were when their batch was read.
    """
    yield csv_lines([COLUMNS])
    request = PageRequest(page=None, page_size=BATCH, include_total=False)
    while True:
        page = await reads.list_orders(request, "created_at", filters)
        if page.items:
            yield csv_lines(_cells(row) for row in page.items)
        if page.next_cursor is None:
            return
        request = PageRequest(page=None, page_size=BATCH, cursor=page.next_cursor, include_total=False)


def _cells(row: OrderRow) -> tuple[object, ...]:
    refunded = Money.from_minor_units(row.refunded_units, row.currency)
    return (
        row.id,
        row.status,
        row.customer_id or "",
        row.currency,
        row.total.amount,
        refunded.amount,
        _instant(row.created_at),
        _instant(row.updated_at),
        row.version,
    )


def _instant(moment: Any) -> str:
    return str(moment.isoformat().replace("+00:00", "Z"))
