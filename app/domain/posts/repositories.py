"""Every statement about posts. Prepared selects are for the Reader, ``PostRepository`` writes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from typing import ClassVar
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    text,
    update,
)

from app.domain.accounts.errors import AccountGone
from app.domain.posts.dtos import PostPage, PostRead, PostSummary, TagPage
from app.domain.posts.errors import PostNotFound
from app.domain.posts.models import NEVER, Post, PostSlug, PostTag
from app.domain.posts.rows import FeedRow, WrittenRow
from app.domain.posts.slugs import digest_of, digests_of
from app.lib.db.base import table_of
from app.lib.db.instants import database_now
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.repositories import EntityRepository
from app.lib.db.statements import delete_batch, is_one_of, json_list
from app.lib.pagination.filters import Filter, between, equals, times
from app.lib.pagination.query import ListQuery
from app.lib.pagination.search import SearchList
from app.lib.pagination.sorting import SortKey

FEED_ENTRIES = 20
_BATCH = 200

_posts, _tags, _slugs = table_of(Post), table_of(PostTag), table_of(PostSlug)
_is_public = Post.public_from <= database_now()
_is_published = Post.published_at.is_not(None)

# One post: what the public sees, the author's own posts, and all of them for moderators.
_is_own = Post.author_id == bindparam("viewer_id", type_=Uuid())
_may_see = or_(_is_public, _is_own, bindparam("sees_all", type_=Boolean()))
_metadata = case((or_(_is_own, bindparam("writes_all", type_=Boolean())), Post.metadata_))
_read = select(*columns_of(PostRead, Post, is_published=_is_published, metadata=_metadata)).where(_may_see)
POST_BY_ID = prepare(_read.where(Post.id == bindparam("post_id")), PostRead)
POST_BY_CLAIM = prepare(
    _read.join(PostSlug, PostSlug.post_id == Post.id).where(PostSlug.digest == bindparam("digest")), PostRead
)
POST_BY_SLUG = prepare(
    _read.where(Post.slug == bindparam("slug")).order_by(Post.public_from, Post.id).limit(1), PostRead
)

_now = prepare(select(database_now().label("now")), datetime)
_claim_slug = prepare(
    text("INSERT INTO post_slugs (digest, post_id) VALUES (:digest, :post_id) ON CONFLICT DO NOTHING").bindparams(
        bindparam("post_id", type_=Uuid())
    )
)
_slug_owner = prepare(select(PostSlug.post_id).where(PostSlug.digest == bindparam("digest")), UUID)
_taken = prepare(select(_slugs.c.digest).where(is_one_of(_slugs.c.digest, "digests")), str)
_insert_tag = prepare(insert(_tags))
_delete_tags = prepare(delete(_tags).where(_tags.c.post_id == bindparam("post")))
_written = [getattr(_posts.c, name) for name in WrittenRow.__struct_fields__]
_due = (
    select(Post.id)
    .where(Post.is_announced.is_(False), _is_public)
    .limit(_BATCH)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
# No one edits it, so the version stays. But who copies the public posts by updated_at has to find it now.
_announce = prepare(
    update(_posts)
    .where(_posts.c.id.in_(_due))
    .values(is_announced=True, updated_at=database_now())
    .returning(*_written),
    WrittenRow,
)
_rename = prepare(
    update(_posts)
    .where(_posts.c.id == bindparam("post"))
    .values(slug=bindparam("slug"), version=_posts.c.version + 1, updated_at=_posts.c.updated_at)
)
DELETED_AT_A_TIME = 200
"""Posts. Each takes its tags with it, and leaves an event."""
_delete_by_author = prepare(
    delete_batch(
        _posts, _posts.c.author_id == bindparam("author"), limit=DELETED_AT_A_TIME, all_of_them=True
    ).returning(*_written),
    WrittenRow,
)

FEED = prepare(
    select(*columns_of(FeedRow, Post, is_published=_is_published))
    .where(_is_public)
    .order_by(Post.public_from.desc(), Post.id.desc())
    .limit(FEED_ENTRIES),
    FeedRow,
)

_SORTS = (
    SortKey("published_at", Post.public_from, datetime),
    SortKey("title", Post.title_key, str),
    SortKey("created_at", Post.created_at, datetime),
    SortKey("updated_at", Post.updated_at, datetime),
)


_STATUS = {
    "draft": Post.public_from == NEVER,
    "scheduled": and_(Post.public_from < NEVER, not_(_is_public)),
    "published": _is_public,
}


def status_filter(statuses: Iterable[str]) -> str:
    """The name of the filter for posts that have one of these; it is True, or left out."""
    return "+".join(sorted(set(statuses)))


def _has_status(statuses: Sequence[str]) -> Filter:
    """A filter of its own for each set, so that the planner knows which part of the index it means."""
    clause = or_(*(_STATUS[each] for each in statuses))
    return Filter(status_filter(statuses), Boolean(), lambda binds: and_(binds[0], clause))


def _published(instants: Filter) -> Filter:
    """Drafts are neither before nor after an instant."""
    return replace(instants, clause=lambda binds: and_(instants.clause(binds), _is_published))


POST_LIST = SearchList(
    "posts",
    PostPage,
    select(*columns_of(PostSummary, Post, is_published=_is_published)),
    identity=Post.id,
    tokens=Post.search,
    title_tokens=Post.title_search,
    label="tag",
    sorts=_SORTS,
    default_sort="-published_at",
    filters=(
        *(_has_status(each) for size in (1, 2, 3) for each in combinations(_STATUS, size)),
        equals("author_id", Post.author_id),
        equals("owner", Post.author_id),
        *map(_published, between("published", Post.public_from)),
    ),
    unindexed=times(Post),
)
"""Every list of posts is this one with filters and an order."""

_tag_counts = (
    select(PostTag.tag.label("name"), func.count().label("posts"))
    .where(PostTag.public_from <= select(database_now()).scalar_subquery())  # asks for the time once, not for each row
    .group_by(PostTag.tag)
    .subquery()
)
TAG_LIST = ListQuery(
    "tags",
    TagPage,
    select(_tag_counts.c.name, _tag_counts.c.posts),
    identity=_tag_counts.c.name,
    sorts=(SortKey("posts", _tag_counts.c.posts, int), SortKey("name", _tag_counts.c.name, str)),
    default_sort="-posts",
)


class PostRepository(EntityRepository[Post]):
    model = Post
    not_found = PostNotFound
    missing: ClassVar = {"users": AccountGone}

    async def now(self) -> datetime:
        """The database's clock, which decides what is public."""
        now = await self.unit.first(_now)
        assert now is not None, "a select without a table has a row"  # noqa: S101 - for the type checkers
        return now

    async def claim_slug(self, post_id: UUID, slug: str, author_id: UUID | None = None) -> bool:
        """Makes the slug the post's for good, among those of an author or of all public posts; False where another
        one of them has it, or had it.
        """
        digest = digest_of(slug, author_id)
        if await self.unit.execute(_claim_slug, digest=digest, post_id=post_id):
            return True
        return await self.unit.first(_slug_owner, digest=digest) == post_id

    async def is_slug_of_another(self, post_id: UUID, slug: str) -> bool:
        """Whether another public post has the slug, or had it."""
        return any(owner != post_id for owner in await self.unit.all(_slug_owner, digest=digest_of(slug)))

    async def list_taken_slugs(self, slugs: Sequence[str], author_id: UUID) -> set[str]:
        """Those that public posts, or others of the author, have or had."""
        digests = dict(zip(digests_of(slugs), slugs, strict=True)) | dict(
            zip(digests_of(slugs, author_id), slugs, strict=True)
        )
        return {digests[digest] for digest in await self.unit.all(_taken, digests=json_list(digests))}

    async def rename(self, post_id: UUID, slug: str) -> None:
        await self.unit.execute(_rename, post=post_id, slug=slug)

    async def create_tags(self, post: Post) -> None:
        """Writes the tags, and from when the post is public, into the table that counts them."""
        rows = ({"post_id": post.id, "tag": tag, "public_from": post.public_from} for tag in post.tags)
        await self.unit.insert(_insert_tag, *rows)

    async def delete_tags(self, post: Post) -> None:
        await self.unit.execute(_delete_tags, post=post.id)

    async def announce(self) -> Sequence[WrittenRow]:
        """Marks a batch of posts that have become public as announced. What another worker marks is skipped."""
        return await self.unit.all(_announce)

    async def delete_by_author(self, author_id: UUID) -> Sequence[WrittenRow]:
        """Deletes up to :data:`DELETED_AT_A_TIME` posts of a user."""
        return await self.unit.all(_delete_by_author, author=author_id)
