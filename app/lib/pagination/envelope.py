"""The one envelope of every list, whichever way it is paged."""

from collections.abc import Sequence
from inspect import get_annotations
from typing import Annotated, Any, Generic, TypeVar, get_args

import msgspec
from msgspec import Meta

MAX_PAGE_SIZE = 100
MAX_COUNTED_ROWS = 10_000
"""``total`` counts no further than this, and no page starts after this row, so that both costs are bounded."""
MAX_CURSOR_LENGTH = 6_000
"""Room for three text keys of 255 characters with four bytes each."""

T = TypeVar("T")
P = TypeVar("P", bound="Page[Any]")

# Litestar drops a lower bound of 0 from optional integers; "extra" is where it reads overrides from.
_FROM_ZERO = {"extra": {"minimum": 0}}


Total = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_COUNTED_ROWS,
        description="Rows that match, counted up to 10 000; null where it was not counted.",
        extra_json_schema=_FROM_ZERO,
    ),
]
Pages = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_COUNTED_ROWS,
        description="How many pages `total` makes; null where `total` is.",
        extra_json_schema=_FROM_ZERO,
    ),
]
PageNumber = Annotated[
    int, Meta(ge=1, le=MAX_COUNTED_ROWS, description="The page's number; null when paged by cursor.")
]
NextCursor = Annotated[
    str,
    Meta(max_length=MAX_CURSOR_LENGTH, description="Pass it as `cursor` for the next page; null on the last one."),
]


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list; every member is always there.

    Declare a subclass per resource, ``class UserPage(Page[UserRead], frozen=True)``: its name becomes the component's
    name in OpenAPI, and its argument the type that rows are read into.
    """

    items: list[T]
    total: Total | None
    total_capped: Annotated[bool, Meta(description="True when there are more than 10 000 rows.")]
    page: PageNumber | None
    page_size: Annotated[int, Meta(ge=1, le=MAX_PAGE_SIZE, description="How many items a full page has.")]
    pages: Pages | None
    next_cursor: NextCursor | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """States the type of ``items`` again, because Litestar loses a type argument given to a base class."""
        super().__init_subclass__(**kwargs)
        item = _type_argument(cls)
        if item is not None:
            items = Annotated[list[item], Meta(max_length=MAX_PAGE_SIZE)]  # type: ignore[valid-type] # made at run time
            cls.__annotations__ = {**get_annotations(cls), "items": items}

    def with_items(self, page_type: type[P], items: Sequence[Any]) -> P:
        """The same page of something else: for rows that become another Struct after an extra query."""
        members: dict[str, Any] = {**msgspec.structs.asdict(self), "items": list(items)}
        return page_type(**members)


def item_type(page_type: type[Page[T]]) -> type[T]:
    """What the pages of a subclass hold. Raises ``TypeError`` for ``Page`` itself."""
    item = _type_argument(page_type)
    if item is None:
        raise TypeError(f"{page_type.__name__} names no item type: say what it is a page of")
    return item


def _type_argument(page_type: type[Any]) -> type[Any] | None:
    for base in getattr(page_type, "__orig_bases__", ()):
        for argument in get_args(base):
            if isinstance(argument, type):
                return argument
    return None
