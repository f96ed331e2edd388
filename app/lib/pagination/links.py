"""The Link header of a list (RFC 8288)."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode

from app.lib.pagination.envelope import MAX_COUNTED_ROWS, Page

_PLACE = frozenset({"page", "cursor"})


def link_header(path: str, query: Iterable[tuple[str, str]], page: Page[Any]) -> str:
    """``<…>; rel="first"``, with ``prev`` (by page only) and ``next`` where there are such pages.

    ``path`` and the pairs of ``query`` are decoded, as Litestar has them. The targets are absolute paths with the
    same parameters but for the place in the list. Past row 10 000 ``next`` goes on by cursor.
    """
    kept = [(name, value) for name, value in query if name not in _PLACE]
    links = [_link(path, kept, "first")]
    if page.page is not None and page.page > 1:
        last_before = page.page - 1 if not page.pages else min(page.page - 1, page.pages)
        links.append(_link(path, [*kept, ("page", str(last_before))], "prev"))
    if page.next_cursor is not None:
        links.append(_link(path, [*kept, _next_place(page, page.next_cursor)], "next"))
    return ", ".join(links)


def _next_place(page: Page[Any], cursor: str) -> tuple[str, str]:
    if page.page is not None and page.page * page.page_size < MAX_COUNTED_ROWS:
        return "page", str(page.page + 1)
    return "cursor", cursor


def _link(path: str, query: list[tuple[str, str]], relation: str) -> str:
    # Percent-encoding leaves nothing that could end the <…> or the header line.
    target = quote(path, safe="/:@!$&'()*+,;=~") + (f"?{urlencode(query)}" if query else "")
    return f'<{target}>; rel="{relation}"'
