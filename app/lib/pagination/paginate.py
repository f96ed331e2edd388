"""From a request's parameters to a page, in one query or two."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from app.lib.db.prepared import Prepared
from app.lib.errors import FieldError, ValidationFailed
from app.lib.pagination.cursor import CursorCodec, cursor_context
from app.lib.pagination.envelope import MAX_COUNTED_ROWS, Page
from app.lib.pagination.filters import BoundFilters
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery, ListStatement, Shape
from app.lib.pagination.sorting import Sort, order_text

T = TypeVar("T")
P = TypeVar("P", bound=Page[Any])


class ListReader(Protocol):
    """The part of the ``Reader`` that lists need."""

    async def all(self, prepared: Prepared[T], /, **values: Any) -> list[T]: ...
    async def scalar(self, prepared: Prepared[T], /, **values: Any) -> T | None: ...


async def paginate(
    reader: ListReader,
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
    context = cursor_context(query.resource, order_text(order), bound.given)
    place: dict[str, Any] = {"offset": request.offset}
    if request.cursor is not None:
        values = codec.decode(context, request.cursor, query.key_types(order))
        place = {f"key_{i}": value for i, value in enumerate(values)}
    statement = query.statement(Shape(order, bound.widths, after_cursor=request.cursor is not None))
    fetched = await reader.all(statement.prepared, limit=request.page_size + 1, **place, **bound.parameters)
    total = await _total(reader, query, request, bound, len(fetched)) if request.wants_total else None
    counted = None if total is None else min(total, MAX_COUNTED_ROWS)
    return query.page_type(
        items=statement.items(fetched[: request.page_size]),
        total=counted,
        total_capped=total is not None and total > MAX_COUNTED_ROWS,
        page=request.page,
        page_size=request.page_size,
        pages=None if counted is None else -(-counted // request.page_size),
        next_cursor=_next_cursor(codec, context, statement, fetched, request.page_size),
    )


def _check(
    query: ListQuery[Any], sort: str | None, filters: Mapping[str, Any]
) -> tuple[tuple[Sort, ...], BoundFilters]:
    """Both halves, so that one reply names what is wrong in either."""
    errors: list[FieldError] = []
    order: tuple[Sort, ...] = ()
    bound = BoundFilters({}, {})
    try:
        order = query.order(sort)
    except ValidationFailed as failed:
        errors.extend(failed.errors)
    try:
        bound = query.bind(filters)
    except ValidationFailed as failed:
        errors.extend(failed.errors)
    if errors:
        raise ValidationFailed(errors)
    return order, bound


async def _total(
    reader: ListReader, query: ListQuery[Any], request: PageRequest, bound: BoundFilters, fetched: int
) -> int:
    seen = request.offset + fetched
    is_last = fetched <= request.page_size
    if request.page is not None and is_last and (fetched or request.page == 1):
        return seen
    counted = await reader.scalar(query.count(bound.widths), **bound.parameters)
    # The count is a statement of its own and may see fewer rows than the page did; a page past the end saw none.
    return max(counted or 0, seen if fetched else 0)


def _next_cursor(
    codec: CursorCodec, context: bytes, statement: ListStatement, fetched: Sequence[Any], page_size: int
) -> str | None:
    if len(fetched) <= page_size:
        return None
    return codec.encode(context, statement.key_values(fetched[page_size - 1]))
