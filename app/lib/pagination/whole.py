"""Lists that come from the code and not from the database: short, known as a whole, and paged like all others."""

from collections.abc import Sequence
from typing import Any, TypeVar

from app.lib.pagination.cursor import CursorCodec, cursor_context
from app.lib.pagination.envelope import Page
from app.lib.pagination.parameters import PageRequest

P = TypeVar("P", bound=Page[Any])


def page_of(page_type: type[P], resource: str, items: Sequence[Any], request: PageRequest, codec: CursorCodec) -> P:
    """One page of all items in their order. A cursor holds how many came before. Raises ``InvalidCursor``."""
    context = cursor_context(resource, "", {})
    start = request.offset
    if request.cursor is not None:
        [start] = codec.decode(context, request.cursor, (int,))
    end = start + request.page_size
    total = len(items) if request.wants_total else None
    return page_type(
        items=list(items[start:end]),
        total=total,
        total_capped=False,
        page=request.page,
        page_size=request.page_size,
        pages=None if total is None else -(-total // request.page_size),
        next_cursor=codec.encode(context, [end]) if end < len(items) else None,
    )
