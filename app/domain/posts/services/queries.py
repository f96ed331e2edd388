import re
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from app.domain.accounts.services.queries import AccountQueries
from app.domain.posts.dtos import (
    UUID_LIKE,
    PostPage,
    PostRead,
    PostSummaryWithAuthor,
    PostWithAuthor,
    PostWithAuthorPage,
    TagPage,
)
from app.domain.posts.errors import PostNotFound
from app.domain.posts.limits import MAX_SLUG
from app.domain.posts.memory import PostMemory
from app.domain.posts.permissions import POSTS_DELETE, POSTS_WRITE
from app.domain.posts.repositories import SORT_KEYS, TAG_SORT_KEYS, PostReads
from app.domain.posts.words import words_of
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal

POST_SORT_KEYS, TAGS_SORT_KEYS = SORT_KEYS, TAG_SORT_KEYS

T = TypeVar("T")

_REFERENCE = re.compile(rf"[a-z0-9-]{{1,{MAX_SLUG}}}")
_ROUGHLY = 1_000
"""Bytes of a post beside its content."""


class PostQueries:
    """What is shown of posts, and to whom; reads only, without a transaction."""

    def __init__(self, reads: PostReads, accounts: AccountQueries, memory: PostMemory) -> None:
        self._reads = reads
        self._accounts = accounts
        self._memory = memory

    async def post(self, reference: str, viewer: Principal | None) -> tuple[PostRead, bool]:
        """By id or slug, former ones included; and whether the public sees it, too. Raises ``PostNotFound``."""
        key = read_reference(reference)
        found = await self._memory.posts.get(key, lambda: self._reads.public_post(key), _size)
        if found is None and isinstance(key, str):
            found = await self._reads.public_post_once_called(key)
        if found is not None:
            return found, True
        post = await self._hidden(key) if viewer is not None else None
        if post is None or viewer is None or not _may_see(post, viewer):
            raise PostNotFound
        return post, False

    async def _hidden(self, key: UUID | str) -> PostRead | None:
        found = await self._reads.post(key)
        return await self._reads.post_once_called(key) if found is None and isinstance(key, str) else found

    async def with_author(self, post: PostRead) -> PostWithAuthor:
        authors = await self._accounts.public_profiles([post.author_id])
        return PostWithAuthor(**msgspec.structs.asdict(post), author=authors.get(post.author_id))

    async def public_posts(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> PostPage:
        if _finds_nothing(filters):
            return self._reads.nothing(paging)
        if paging.page != 1:
            return await self._reads.public_posts(paging, sort, filters)
        # What the public sees is the same for everybody, and first pages are what everybody asks for.
        key = ("posts", paging, sort, _key_of(filters))
        return await self._remembered(key, lambda: self._reads.public_posts(paging, sort, filters), _size_of_page)

    async def own_posts(
        self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], owner: Principal
    ) -> PostPage:
        """Drafts, scheduled and published ones."""
        if _finds_nothing(filters):
            return self._reads.nothing(paging)
        return await self._reads.own_posts(paging, sort, {**filters, "author": [owner.user_id]})

    async def posts_of(
        self, author_id: UUID, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]
    ) -> PostPage:
        """What the public sees of somebody. Raises ``ProfileNotFound`` when there is no such person."""
        page = await self.public_posts(paging, sort, {**filters, "author": [author_id]})
        if not page.items:
            await self._accounts.public_profile(author_id)
        return page

    async def with_authors(self, page: PostPage) -> PostWithAuthorPage:
        """In one query for all of them."""
        authors = await self._accounts.public_profiles(post.author_id for post in page.items)
        items = [
            PostSummaryWithAuthor(**msgspec.structs.asdict(post), author=authors.get(post.author_id))
            for post in page.items
        ]
        return page.with_items(PostWithAuthorPage, items)

    async def tags(self, paging: PageRequest, sort: str | None) -> TagPage:
        """With how many public posts have them."""
        return await self._remembered(("tags", paging, sort), lambda: self._reads.tags(paging, sort), _size_of_tags)

    async def _remembered(self, key: Hashable, read: Callable[[], Awaitable[T]], size: Callable[[T], int]) -> T:
        page = await self._memory.lists.get(key, read, size)
        assert page is not None, "a page is always read"  # noqa: S101 - tells type checkers what the loader says
        return page


def read_reference(reference: str) -> UUID | str:
    """An id or a slug. Raises ``PostNotFound`` for what can be neither."""
    if not _REFERENCE.fullmatch(reference):
        raise PostNotFound
    return UUID(reference) if "-" in reference and UUID_LIKE.fullmatch(reference) else reference


def read_id(reference: str) -> UUID:
    """Raises ``PostNotFound`` for what is no id."""
    found = read_reference(reference)
    if not isinstance(found, UUID):
        raise PostNotFound
    return found


def sees_everything(viewer: Principal) -> bool:
    """Whoever may change or delete others' drafts has to see them."""
    return viewer.may(POSTS_WRITE) or viewer.may(POSTS_DELETE)


def _may_see(post: PostRead, viewer: Principal) -> bool:
    return post.author_id == viewer.user_id or sees_everything(viewer)


def _finds_nothing(filters: Mapping[str, Any]) -> bool:
    text = filters.get("q")
    return text is not None and not words_of(text)


def _key_of(filters: Mapping[str, Any]) -> Hashable:
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in filters.items()}
    return tuple(sorted((name, value) for name, value in given.items() if value is not None))


def _size(post: PostRead) -> int:
    return 4 * len(post.content) + _ROUGHLY


def _size_of_page(page: PostPage) -> int:
    return _ROUGHLY + sum(_ROUGHLY + 4 * (len(post.title) + len(post.excerpt)) for post in page.items)


def _size_of_tags(page: TagPage) -> int:
    return _ROUGHLY + 200 * len(page.items)
