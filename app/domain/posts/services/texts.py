"""What is made of the texts of a post when it is written."""

import asyncio
from typing import Any

from app.domain.posts.markdown import render
from app.domain.posts.slugs import slug_of
from app.lib.db.search import search_document
from app.lib.text import casefold_key

_TITLE_KEY = 255
_SHORT = 5_000
"""Characters. Longer contents are read in a thread; for these, handing them over would cost as much."""


async def columns_of_texts(title: str, content: str, tags: list[str], own_excerpt: str | None) -> dict[str, Any]:
    """The columns of a post that are derived from others; ``slug`` is the one that the title asks for."""
    if len(content) <= _SHORT and title.isascii():  # slugs of other scripts are looked up in files
        return _columns_of_texts(title, content, tags, own_excerpt)
    return await asyncio.to_thread(_columns_of_texts, title, content, tags, own_excerpt)


def _columns_of_texts(title: str, content: str, tags: list[str], own_excerpt: str | None) -> dict[str, Any]:
    excerpt, html = render(content)
    return {
        "slug": slug_of(title),
        "title_key": casefold_key(title)[:_TITLE_KEY],
        "title_search": search_document(title),
        "search": search_document(title, content, labels=tags),
        "excerpt": excerpt if own_excerpt is None else own_excerpt,
        "html": html,
    }
