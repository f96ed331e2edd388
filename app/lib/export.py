"""What is held on a user, as they can take it along: each domain names its parts, column by column.

A part is read in pages along a key, so that memory does not grow with it, and no other column gets in: secrets stay
where they are.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, SQLColumnExpression, Uuid, bindparam, literal_column, select

from app.lib.db.prepared import Prepared, prepare
from app.lib.db.reader import Reader
from app.lib.pagination.query import OrderedKey, rows_after
from app.lib.pagination.sorting import SortKey, as_element

PAGE = 100
"""Rows that are read at a time: some megabytes, where each is as long as it may be."""


class Export(msgspec.Struct, frozen=True):
    """A part; see :func:`export`."""

    name: str
    rows: Select[Any]
    first: Prepared[Any]
    next: Prepared[Any]
    key: tuple[str, ...]

    async def pages(self, reader: Reader, user_id: UUID) -> AsyncIterator[list[Any]]:
        """The rows, in pages."""
        page = await reader.all(self.first, user_id=user_id)
        while page:
            yield page
            if len(page) < PAGE:
                return
            last = {f"key_{i}": getattr(page[-1], name) for i, name in enumerate(self.key)}
            page = await reader.all(self.next, user_id=user_id, **last)


def export(
    name: str,
    *columns: SQLColumnExpression[Any],
    of: SQLColumnExpression[Any],
    by: Sequence[SQLColumnExpression[Any]],
    where: Sequence[ColumnElement[bool]] = (),
) -> Export:
    """Rows whose column ``of`` is the user's id, and which meet the conditions in ``where``, as the member ``name``.

    ``by`` are columns among those that are shown, which together are unique and should be in an index after ``of``.
    """
    key = [SortKey(str(as_element(each).key), each) for each in by]
    keys = [OrderedKey(each, False, f"key_{i}") for i, each in enumerate(key)]
    rows = select(*columns).where(of == bindparam("user_id", type_=Uuid()), *where)
    row_type = msgspec.defstruct(name, [str(column.key) for column in rows.selected_columns], frozen=True)
    page = rows.order_by(*[key.order_by for key in keys]).limit(literal_column(str(PAGE)))
    following = prepare(page.where(rows_after(keys)), row_type)
    return Export(name, rows, prepare(page, row_type), following, tuple(each.name for each in key))


class Exports(tuple[Export, ...]):
    """The parts of all domains."""

    __slots__ = ()


async def document(exports: Exports, reader: Reader, user_id: UUID) -> AsyncIterator[bytes]:
    """A JSON object with a member for each part. Each page is as it was when it was read."""
    opening = b"{"
    for each in exports:
        yield opening + msgspec.json.encode(each.name) + b":["
        opening, comma = b"],", b""
        async for page in each.pages(reader, user_id):
            yield comma + msgspec.json.encode(page)[1:-1]
            comma = b","
    yield b"]}" if exports else b"{}"
