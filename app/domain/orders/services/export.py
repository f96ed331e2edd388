"""All orders as CSV (RFC 4180), read in batches along the keyset, so that memory does not grow with their number."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from app.domain.orders.repositories.reads import ORDER_LIST
from app.domain.orders.rows import OrderRow
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.envelope import Page
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.wire.money import Money

BATCH = 1_000
COLUMNS = (
    "number",
    "id",
    "status",
    "customer_id",
    "currency",
    "total",
    "refunded",
    "created_at",
    "updated_at",
    "version",
)
"""No text that customers wrote."""

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take for the start of a formula; the last ones are the wide forms of the first (OWASP)."""


async def export_orders(reader: Reader, cursors: CursorCodec, filters: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """The header and one line per order, oldest first. Each batch is a read of its own, so a slow client holds no
    connection; an order is as it was when its batch was read.

    The first batch is read before there is a line, so that what is wrong with the request is an error and not half a
    file. Raises ``ValidationFailed``.
    """

    async def batch(cursor: str | None) -> Page[OrderRow]:
        request = PageRequest(page=None, page_size=BATCH, cursor=cursor, include_total=False)
        return await paginate(reader, ORDER_LIST, request, cursors, sort="created_at", filters=filters)

    async def lines(page: Page[OrderRow]) -> AsyncIterator[bytes]:
        yield csv_lines([COLUMNS])
        while page.items:
            yield csv_lines(_cells(row) for row in page.items)
            if page.next_cursor is None:
                return
            page = await batch(page.next_cursor)

    return lines(await batch(None))


def _cells(row: OrderRow) -> tuple[object, ...]:
    refunded = Money.from_minor_units(row.refunded_units, row.currency)
    return (
        row.number,
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


def csv_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Lines of CSV in UTF-8. Text that would be a formula gets an apostrophe in front (OWASP, CSV injection); numbers
    stay as they are.
    """
    text = io.StringIO()
    csv.writer(text).writerows([_inert(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _inert(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_STARTS_FORMULA) else cell
