import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.accounts.services.queries import AccountQueries
from app.domain.posts.dtos import (
    MAX_SLUG,
    PUBLISHED,
    UUID_LIKE,
    PostPage,
    PostRead,
    PostSummaryWithAuthor,
    PostWithAuthor,
    PostWithAuthorPage,
    Status,
    TagPage,
)
from app.domain.posts.errors import PostNotFound
from app.domain.posts.permissions import POSTS_DELETE, POSTS_WRITE
from app.domain.posts.repositories import POST_BY_CLAIM, POST_BY_ID, POST_BY_SLUG, POST_LIST, TAG_LIST, status_filter
from app.domain.posts.slugs import digest_of
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal
from app.lib.wire.dto import project

POST_SORT = POST_LIST.sort_parameter()
TAG_SORT = TAG_LIST.sort_parameter()

_REFERENCE = re.compile(rf"[a-z0-9-]{{1,{MAX_SLUG}}}")


@dataclass
class PostQueries:
    """What is shown of posts, and to whom; reads only, without a transaction."""

    reader: Reader
    cursors: CursorCodec
    accounts: AccountQueries

    async def get(self, reference: str, viewer: Principal | None) -> PostRead:
        """By id, or by a slug that it has or had. Raises ``PostNotFound``, also for what the viewer may not see."""
        key = read_reference(reference)
        sees_all = viewer is not None and sees_everything(viewer)
        writes_all = viewer is not None and viewer.may(POSTS_WRITE)
        may_see = {"viewer_id": viewer.user_id if viewer else None, "sees_all": sees_all, "writes_all": writes_all}
        if isinstance(key, UUID):
            return await self.reader.one(POST_BY_ID, PostNotFound, post_id=key, **may_see)
        if (claimed := await self.reader.first(POST_BY_CLAIM, digest=digest_of(key), **may_see)) is not None:
            return claimed
        # What is not public, or has been for seconds, has claimed its slug among those of its author only.
        return await self.reader.one(POST_BY_SLUG, PostNotFound, slug=key, **may_see)

    async def list(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> PostPage:
        """What the public sees."""
        return await self._list(paging, sort, {**filters, status_filter([PUBLISHED]): True})

    async def list_hidden(
        self,
        paging: PageRequest,
        sort: str | None,
        filters: Mapping[str, Any],
        viewer: Principal,
        statuses: Collection[Status],
        *,
        mine: bool,
    ) -> PostPage:
        """Posts that have one of the statuses, or any: of the viewer, or of all for holders of ``posts:write``."""
        owner = None if viewer.may(POSTS_WRITE) and not mine else [viewer.user_id]
        wanted = {status_filter(statuses): True} if statuses else {}
        return await self._list(paging, sort, {**filters, **wanted, "owner": owner})

    async def list_by_user(
        self, user_id: UUID, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]
    ) -> PostPage:
        """What the public sees of a user. Raises ``ProfileNotFound`` when there is no such user."""
        page = await self.list(paging, sort, {**filters, "author_id": [user_id]})
        if not page.items:
            await self.accounts.get_public_profile(user_id)
        return page

    async def list_tags(self, paging: PageRequest, sort: str | None) -> TagPage:
        """With the number of public posts that have them."""
        return await paginate(self.reader, TAG_LIST, paging, self.cursors, sort=sort)

    async def with_author(self, post: PostRead) -> PostWithAuthor:
        authors = await self.accounts.list_people([post.author_id])
        return project(PostWithAuthor, post, author=authors.get(post.author_id))

    async def with_authors(self, page: PostPage) -> PostWithAuthorPage:
        """In one query for all of them."""
        authors = await self.accounts.list_people(post.author_id for post in page.items)
        items = [project(PostSummaryWithAuthor, post, author=authors.get(post.author_id)) for post in page.items]
        return page.with_items(PostWithAuthorPage, items)

    async def _list(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> PostPage:
        """Name ``published`` or ``owner`` in the filters, or everybody's drafts are in the list."""
        return await POST_LIST.page(self.reader, paging, self.cursors, sort=sort, filters=filters)


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
    """Moderators who may change or delete the drafts of others have to see them."""
    return viewer.may(POSTS_WRITE) or viewer.may(POSTS_DELETE)
