"""From a request's parameters to a page, in one query or two."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from app.lib.db.reader import Reader
from app.lib.errors import FieldError, ValidationFailed
from app.lib.pagination.cursor import CursorCodec, cursor_context
from app.lib.pagination.envelope import MAX_COUNTED_ROWS, Page
from app.lib.pagination.filters import BoundFilters
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery, Shape
from app.lib.pagination.sorting import Sort

P = TypeVar("P", bound=Page[Any])


async def paginate(
    reader: Reader,
    query: ListQuery[P],
    request: PageRequest,
    codec: CursorCodec,
    *,
    sort: str | None = None,
    filters: Mapping[str, Any] | None = None,
) -> P:
    """One page of the list.

    ``sort`` is as the caller gave it. ``filters`` holds the values of declared filters; None, ``UNSET`` and empty
    sequences are left out. What a list is narrowed to for this caller (an owner's id) belongs there too, so that a
    cursor is bound to it.

    Costs one query, and a bounded count where a total is wanted and the rows themselves do not tell it.
    Raises ``ValidationFailed`` and ``InvalidCursor``.
    """
    order, bound = _check(query, sort, filters or {})
    context = cursor_context(query.resource, ",".join(map(str, order)), bound.given)
    place: dict[str, Any] = {"offset": request.offset}
    if request.cursor is not None:
        values = codec.decode(context, request.cursor, query.key_types(order))
        place = {f"key_{i}": value for i, value in enumerate(values)}
    statement = query.statement(Shape(order, bound.widths, after_cursor=request.cursor is not None))
    fetched = await reader.all(statement.prepared, limit=request.page_size + 1, **place, **bound.parameters)
    has_next = len(fetched) > request.page_size
    total: int | None = None
    if request.wants_total:
        total = request.offset + len(fetched)
        if has_next or request.page is None or not (fetched or request.page == 1):
            counted = await reader.first(query.count(bound.widths), **bound.parameters)
            # A statement of its own may see fewer rows than the page did; a page past the end saw none.
            total = max(counted or 0, total if fetched else 0)
    rows = fetched[: request.page_size]
    cursor = request.cursor if query.is_feed else None
    if has_next or (query.is_feed and rows):
        cursor = codec.encode(context, statement.key_values(rows[-1]))
    return _page(query.page_type, statement.items(rows), request, total, cursor)


def page_of(page_type: type[P], resource: str, items: Sequence[Any], request: PageRequest, codec: CursorCodec) -> P:
    """One page of a list that comes from the code and not from the database: short, and known as a whole.

    A cursor holds how many items came before. Raises ``InvalidCursor``.
    """
    context = cursor_context(resource, "", {})
    start = request.offset
    if request.cursor is not None:
        [start] = codec.decode(context, request.cursor, (int,))
    end = start + request.page_size
    total = len(items) if request.wants_total else None
    return _page(
        page_type, items[start:end], request, total, codec.encode(context, [end]) if end < len(items) else None
    )


def _page(page_type: type[P], items: Sequence[Any], request: PageRequest, total: int | None, cursor: str | None) -> P:
    counted = None if total is None else min(total, MAX_COUNTED_ROWS)
    return page_type(
        items=list(items),
        total=counted,
        total_capped=total is not None and total > MAX_COUNTED_ROWS,
        page=request.page,
        page_size=request.page_size,
        pages=None if counted is None else -(-counted // request.page_size),
        next_cursor=cursor,
    )


def _check(
    query: ListQuery[Any], sort: str | None, filters: Mapping[str, Any]
) -> tuple[tuple[Sort, ...], BoundFilters]:
    """Both halves, so that one reply names what is wrong in either."""
    errors: list[FieldError] = []
    order: tuple[Sort, ...] = ()
    try:
        order = query.order(sort)
    except ValidationFailed as failed:
        errors.extend(failed.errors)
    try:
        bound = query.bind(filters)
    except ValidationFailed as failed:
        raise ValidationFailed([*errors, *failed.errors]) from None
    if errors:
        raise ValidationFailed(errors)
    return order, bound
