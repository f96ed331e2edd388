"""The one envelope of every list, whichever way it is paged."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar, get_args

import msgspec
from msgspec import Meta

from app.lib.wire.fields import END

MAX_PAGE_SIZE = 100
MAX_COUNTED_ROWS = 10_000
"""``total`` counts no further than this, and no page starts after this row, so that both costs are bounded."""
MAX_CURSOR_LENGTH = 6_000
"""Room for three text keys of 255 characters with four bytes each."""

T = TypeVar("T")
P = TypeVar("P", bound="Page[Any]")

_TOTAL = "Rows that match, counted up to 10 000; null where it was not counted."
_PAGE = "The page's number; null when paged by cursor."
_PAGES = "How many pages `total` makes; null where `total` is."
_NEXT_CURSOR = "Pass it as `cursor` for the next page; null on the last one."


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list; every member is always there.

    Name one per resource, ``UserPage = Page[UserRead]``; or declare a subclass, where the component in the OpenAPI
    document has another name. The argument is the type that rows are read into.
    """

    items: Annotated[list[T], Meta(max_length=MAX_PAGE_SIZE)]
    total: Annotated[int, Meta(ge=0, le=MAX_COUNTED_ROWS, description=_TOTAL, examples=[1])] | None
    total_capped: Annotated[bool, Meta(description="True when there are more than 10 000 rows.")]
    page: Annotated[int, Meta(ge=1, le=MAX_COUNTED_ROWS, description=_PAGE, examples=[1])] | None
    page_size: Annotated[
        int, Meta(ge=1, le=MAX_PAGE_SIZE, description="How many items a full page has.", examples=[20])
    ]
    pages: Annotated[int, Meta(ge=0, le=MAX_COUNTED_ROWS, description=_PAGES, examples=[1])] | None
    next_cursor: (
        Annotated[str, Meta(max_length=MAX_CURSOR_LENGTH, pattern=rf"^[A-Za-z0-9_-]+{END}", description=_NEXT_CURSOR)]
        | None
    )

    def with_items(self, page_type: type[P], items: Sequence[Any]) -> P:
        """The same page of something else: for rows that become another Struct after an extra query."""
        members: dict[str, Any] = {**msgspec.structs.asdict(self), "items": list(items)}
        return page_type(**members)


def item_type(page_type: type[Page[T]]) -> type[T]:
    """What the pages hold. Raises ``TypeError`` for ``Page`` itself."""
    for base in (page_type, *getattr(page_type, "__orig_bases__", ())):
        for argument in get_args(base):
            if isinstance(argument, type):
                return argument
    raise TypeError(f"{page_type.__name__} names no item type: say what it is a page of")
