"""Responses that point somewhere: a new resource, the next page."""

from collections.abc import Iterable
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from litestar import Request, Response

from app.lib.pagination.envelope import MAX_COUNTED_ROWS, Page

MOVES = {"moves": True}
"""Spread into a handler's ``opt`` when it may answer :func:`moved`."""

T = TypeVar("T")


def created(content: T, location: str) -> Response[T]:
    """201 with the resource and its ``Location``."""
    return Response(content, status_code=201, headers={"Location": location})


def moved(request: Request[Any, Any, Any], location: str) -> Response[Any]:
    """301 to where the resource is now, with the same query."""
    query = request.scope["query_string"].decode("latin-1")
    return Response(b"", status_code=301, headers={"Location": f"{location}?{query}" if query else location})


def link_header(path: str, query: Iterable[tuple[str, str]], page: Page[Any]) -> str:
    """``<…>; rel="first"``, with ``prev`` (by page only) and ``next`` where there are such pages.

    ``path`` and the pairs of ``query`` are decoded, as Litestar has them. The targets are absolute paths with the
    same parameters but for the place in the list. Past row 10 000 ``next`` goes on by cursor.
    """
    places = [("first", "")]
    if page.page is not None and page.page > 1:
        last_before = page.page - 1 if not page.pages else min(page.page - 1, page.pages)
        places.append(("prev", f"page={last_before}"))
    if page.next_cursor is not None:
        by_page = page.page is not None and page.page * page.page_size < MAX_COUNTED_ROWS
        places.append(("next", f"page={(page.page or 0) + 1}" if by_page else f"cursor={quote(page.next_cursor)}"))
    # Percent-encoding leaves nothing that could end the <…> or the header line.
    target = quote(path, safe="/:@!$&'()*+,;=~")
    kept = urlencode([(name, value) for name, value in query if name not in {"page", "cursor"}])
    links: list[str] = []
    for relation, place in places:
        pairs = "&".join(part for part in (kept, place) if part)
        links.append(f'<{target}{"?" if pairs else ""}{pairs}>; rel="{relation}"')
    return ", ".join(links)
