"""Lists: one envelope, by page or by keyset cursor, with declared filters and sort keys.

A repository declares a ``ListQuery`` once and calls ``paginate``; a controller takes a ``PageRequest``.
"""

from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.envelope import Page
from app.lib.pagination.filters import (
    Filter,
    after,
    at_least,
    at_most,
    before,
    contains,
    custom,
    equals,
    escape_like,
)
from app.lib.pagination.links import link_header
from app.lib.pagination.paginate import ListReader, paginate
from app.lib.pagination.parameters import PageAndCursor, PageRequest, page_request, provide_list_parameters
from app.lib.pagination.query import ListQuery, Window
from app.lib.pagination.sorting import Sort, SortKey, coalesced, parse_sort, sort_parameter

__all__ = [
    "CursorCodec",
    "Filter",
    "ListQuery",
    "ListReader",
    "Page",
    "PageAndCursor",
    "PageRequest",
    "Sort",
    "SortKey",
    "Window",
    "after",
    "at_least",
    "at_most",
    "before",
    "coalesced",
    "contains",
    "custom",
    "equals",
    "escape_like",
    "link_header",
    "page_request",
    "paginate",
    "parse_sort",
    "provide_list_parameters",
    "sort_parameter",
]
