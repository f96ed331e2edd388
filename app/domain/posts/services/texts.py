"""What is made of the texts of a post when it is written."""

import asyncio
from collections.abc import Iterable

import msgspec

from app.domain.posts.markdown import render
from app.domain.posts.slugs import slug_of
from app.lib.db.search import search_document
from app.lib.text import casefold_key

_TITLE_KEY = 255
_SHORT = 5_000
"""Characters. Longer contents are read in a thread; for these, handing them over would cost as much."""


class Texts(msgspec.Struct, frozen=True):
    """Named like the columns that they are for."""

    slug: str
    title_key: str
    title_search: str
    search: str
    excerpt: str
    html: str | None


async def texts_of(title: str, content: str, tags: Iterable[str]) -> Texts:
    """Everything that is derived from title, content and tags."""
    if len(content) <= _SHORT and title.isascii():  # slugs of other scripts are looked up in files
        return _texts_of(title, content, tags)
    return await asyncio.to_thread(_texts_of, title, content, tags)


def _texts_of(title: str, content: str, tags: Iterable[str]) -> Texts:
    excerpt, html = render(content)
    return Texts(
        slug=slug_of(title),
        title_key=casefold_key(title)[:_TITLE_KEY],
        title_search=search_document(title),
        search=search_document(title, content, labels=tags),
        excerpt=excerpt,
        html=html,
    )
