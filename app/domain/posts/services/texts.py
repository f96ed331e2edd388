"""What is made of the texts of a post: slug, excerpt, and the words that it is found by."""

import asyncio

import msgspec

from app.domain.posts.markdown import to_excerpt
from app.domain.posts.slugs import slug_of
from app.domain.posts.words import words_of
from app.lib.text import casefold_key

_TITLE_KEY = 255


class Texts(msgspec.Struct, frozen=True):
    slug: str
    title_key: str
    title_words: str
    content_words: str
    excerpt: str


async def texts_of(title: str, content: str) -> Texts:
    """In a thread: contents may be long, and reading Markdown takes its time."""
    return await asyncio.to_thread(_texts_of, title, content)


def _texts_of(title: str, content: str) -> Texts:
    return Texts(
        slug=slug_of(title),
        title_key=casefold_key(title)[:_TITLE_KEY],
        title_words=words_of(title),
        content_words=words_of(content),
        excerpt=to_excerpt(content),
    )
