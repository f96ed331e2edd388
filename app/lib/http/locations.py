"""Responses that point somewhere: a new resource, the next page."""

from typing import Any, TypeVar

from litestar import Request, Response

from app.lib.pagination.envelope import Page
from app.lib.pagination.links import link_header

T = TypeVar("T")
P = TypeVar("P", bound=Page[Any])


def created(content: T, location: str) -> Response[T]:
    """201 with the resource and its ``Location``."""
    return Response(content, status_code=201, headers={"Location": location})


def linked(request: Request[Any, Any, Any], page: P) -> Response[P]:
    """A page with its ``Link`` header (RFC 8288)."""
    pairs = list(request.query_params.multi_items())
    return Response(page, headers={"Link": link_header(request.url.path, pairs, page)})
