"""The query parameters that every list takes."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar.params import QueryParameter

from app.lib.errors import BadRequest, FieldCode, FieldError, UnknownParameter, ValidationFailed
from app.lib.pagination.envelope import MAX_COUNTED_ROWS, MAX_CURSOR_LENGTH, MAX_PAGE_SIZE

DEFAULT_PAGE_SIZE = 20


class PageAndCursor(BadRequest):
    """A list is walked in one way at a time."""

    code = UnknownParameter.code
    detail = "'page' cannot be combined with 'cursor'."

    def __init__(self) -> None:
        super().__init__(
            errors=[
                FieldError(parameter="page", code=FieldCode.UNKNOWN_FIELD, detail="Not known together with 'cursor'.")
            ]
        )


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of a list is wanted: by number (from 1), or the one after a cursor."""

    page: int | None = 1
    page_size: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None
    include_total: bool | None = None

    @property
    def offset(self) -> int:
        """Rows before the page; 0 by cursor."""
        return (self.page - 1) * self.page_size if self.page is not None else 0

    @property
    def wants_total(self) -> bool:
        """As the caller says, else by page only."""
        return self.include_total if self.include_total is not None else self.page is not None


PageNumber = QueryParameter(
    ge=1,
    description="Number of the page, from 1. Not together with `cursor`.",
    schema_extra={"maximum": MAX_COUNTED_ROWS},  # documentation: provide_list_parameters has better words for it
)
PageSize = QueryParameter(ge=1, le=MAX_PAGE_SIZE, description="How many items a page has.")
CursorText = QueryParameter(
    description="`next_cursor` of the page before, with the same filters and `sort`.",
    schema_extra={"maxLength": MAX_CURSOR_LENGTH, "pattern": "^[A-Za-z0-9_-]+$"},
)
IncludeTotal = QueryParameter(description="Whether to count all that match. By default only by page, not by cursor.")
After = Annotated[datetime | None, QueryParameter(description="At this instant (RFC 3339) or later.")]
Before = Annotated[datetime | None, QueryParameter(description="Before this instant (RFC 3339).")]
UpdatedAfter = Annotated[
    datetime | None,
    QueryParameter(
        description=(
            "Changed at this instant (RFC 3339) or later. To copy a list, walk it by cursor with `sort=updated_at`, "
            "from a minute before the last walk began: a change is seen only once it is committed."
        )
    ),
]


async def provide_list_parameters(
    page: Annotated[int | None, PageNumber] = None,
    page_size: Annotated[int, PageSize] = DEFAULT_PAGE_SIZE,
    cursor: Annotated[str | None, CursorText] = None,
    include_total: Annotated[bool | None, IncludeTotal] = None,
) -> PageRequest:
    """The first page by default. Raises ``PageAndCursor`` for both, and
    ``ValidationFailed`` for a page that starts after row 10 000.
    """
    if page is not None and cursor is not None:
        raise PageAndCursor
    number = 1 if page is None and cursor is None else page
    request = PageRequest(page=number, page_size=page_size, cursor=cursor, include_total=include_total)
    if request.offset >= MAX_COUNTED_ROWS:
        detail = "Pages end at row 10000: read on with the 'cursor' from 'next_cursor'."
        raise ValidationFailed([FieldError(parameter="page", code=FieldCode.TOO_LARGE, detail=detail)])
    return request


async def provide_times(
    created_after: After = None,
    created_before: Before = None,
    updated_after: UpdatedAfter = None,
    updated_before: Before = None,
) -> dict[str, datetime | None]:
    """The values of the filters that :func:`app.lib.pagination.filters.times` declares."""
    return {
        "created_after": created_after,
        "created_before": created_before,
        "updated_after": updated_after,
        "updated_before": updated_before,
    }


LIST_PARAMETERS: dict[str, Callable[..., Any]] = {"paging": provide_list_parameters, "times": provide_times}
"""Dependencies of the handlers of lists."""
