"""Responses that point somewhere: a new resource, the next page."""

from typing import Any, TypeVar

from litestar import Request, Response

from app.lib.pagination.envelope import Page
from app.lib.pagination.links import link_header

MOVES = {"moves": True}
"""Spread into a handler's ``opt`` when it may answer :func:`moved`."""

T = TypeVar("T")
P = TypeVar("P", bound=Page[Any])


def created(content: T, location: str) -> Response[T]:
    """201 with the resource and its ``Location``."""
    return Response(content, status_code=201, headers={"Location": location})


def moved(request: Request[Any, Any, Any], location: str) -> Response[Any]:
    """301 to where the resource is now, with the same query."""
    query = request.scope["query_string"].decode("latin-1")
    return Response(b"", status_code=301, headers={"Location": f"{location}?{query}" if query else location})


def linked(request: Request[Any, Any, Any], page: P) -> Response[P]:
    """A page with its ``Link`` header (RFC 8288)."""
    pairs = list(request.query_params.multi_items())
    return Response(page, headers={"Link": link_header(request.url.path, pairs, page)})
