"""Every statement about posts. ``PostReads`` reads without a transaction, ``PostRepository`` writes in one."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    select,
    union_all,
    update,
)

from app.domain.posts.dtos import PostPage, PostRead, PostSummary, TagCount, TagPage
from app.domain.posts.full_text import matches, relevance
from app.domain.posts.models import Post, PostSlug, PostTag, TagTotal
from app.domain.posts.rows import FeedRow
from app.domain.posts.slugs import digest_of
from app.domain.posts.words import words_of
from app.lib.db.base import table_of
from app.lib.db.instants import database_now
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.reader import Reader
from app.lib.db.repository import Repository
from app.lib.db.statements import add_up, insert_or_ignore
from app.lib.errors import InvalidCursor
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.filters import Filter, after, before, custom, equals
from app.lib.pagination.paginate import page_of, paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery, Window
from app.lib.pagination.sorting import SortKey

FEED_ENTRIES = 20
MAX_FEED_CONTENT = 20_000
"""Characters; of longer posts the feed has the excerpt only."""
_BATCH = 200

_posts, _tags, _totals = table_of(Post), table_of(PostTag), table_of(TagTotal)
_is_published = Post.published_at.is_not(None)
_is_public = Post.public_from <= database_now()

_read = select(*columns_of(PostRead, Post, is_published=_is_published))
_summary = select(*columns_of(PostSummary, Post, is_published=_is_published))

_post_by_id = prepare(_read.where(Post.id == bindparam("post_id")), PostRead)
_post_by_slug = prepare(_read.where(Post.slug == bindparam("slug")), PostRead)
_post_by_former = prepare(
    _read.join(PostSlug, PostSlug.post_id == Post.id).where(PostSlug.digest == bindparam("digest")), PostRead
)
_public_by_id = prepare(_read.where(Post.id == bindparam("post_id"), _is_public), PostRead)
_public_by_slug = prepare(_read.where(Post.slug == bindparam("slug"), _is_public), PostRead)
_public_by_former = prepare(
    _read.join(PostSlug, PostSlug.post_id == Post.id).where(PostSlug.digest == bindparam("digest"), _is_public),
    PostRead,
)
_feed_content = case((func.length(Post.content) <= MAX_FEED_CONTENT, Post.content))
_feed = prepare(
    select(*columns_of(FeedRow, Post, content=_feed_content))
    .where(_is_public)
    .order_by(Post.public_from.desc(), Post.id.desc())
    .limit(FEED_ENTRIES),
    FeedRow,
)

POST_SORTS = (
    SortKey("published_at", Post.public_from, datetime),
    SortKey("title", Post.title_key, str),
    SortKey("created_at", Post.created_at, datetime),
)
_TEXT = Filter("q", String(), lambda binds: matches(binds[0]), words_of)
_TEXT_OF_ROWS = Filter("q", String(), lambda binds: matches(binds[0]).is_(True), words_of)
"""The same, but PostgreSQL cannot look it up in the full-text index: it has to look at the rows that there are."""
RELEVANCE = SortKey("relevance", relevance(bindparam(_TEXT.bind_names(1)[0], type_=String())), float)
SORT_KEYS = (*(key.name for key in POST_SORTS), RELEVANCE.name)
TAG_SORT_KEYS = ("posts", "name")


def _filters(instant: Any, tag: Filter, text: Filter = _TEXT) -> tuple[Filter, ...]:
    return (
        equals("author", Post.author_id),
        tag,
        text,
        after("published_after", instant),
        before("published_before", instant),
    )


_ANY_TAG = custom(
    "tag",
    String(),
    lambda tags: exists().where(PostTag.post_id == Post.id, PostTag.tag.in_(tags)),
    repeatable=True,
)


def _list(resource: str, rows: Select[Any], instant: Any, **options: Any) -> ListQuery[PostPage]:
    settings: dict[str, Any] = {"sorts": POST_SORTS, "filters": _filters(instant, _ANY_TAG), **options}
    return ListQuery(resource, PostPage, rows, identity=Post.id, default_sort="-published_at", **settings)


def _unindexed(key: SortKey) -> SortKey:
    """The same order, without an index that could be walked for it."""
    return SortKey(key.name, func.coalesce(key.expression, key.expression), key.python_type)


class Search(NamedTuple):
    """A search in two ways: the planner cannot tell rare words from frequent ones, and a wrong guess costs seconds.

    ``newest`` walks the index of the order through a window; it is enough where words are frequent. ``all`` looks the
    words up in the full-text index, and sorts what it finds.
    """

    newest: ListQuery[PostPage]
    all: ListQuery[PostPage]


_WINDOW = 2_000
"""Posts that are looked at before the full-text index is asked."""
_FREQUENT = 20
"""Matches in the window from which on only these are ranked: 1 %, so that the index never has to find many more."""
_NARROWING = frozenset({"author", "published_after", "published_before"})


def _search(resource: str, rows: Select[Any], instant: Any) -> Search:
    of_rows, window = _filters(instant, _ANY_TAG, _TEXT_OF_ROWS), Window(_WINDOW, _NARROWING)
    everything = _list(resource, rows, instant, sorts=tuple(map(_unindexed, POST_SORTS)))
    return Search(_list(resource, rows, instant, filters=of_rows, window=window, counted_by=everything), everything)


def _ranking(resource: str, rows: Select[Any], instant: Any) -> Search:
    of_rows, sorts = _filters(instant, _ANY_TAG, _TEXT_OF_ROWS), (*POST_SORTS, RELEVANCE)
    window = Window(_WINDOW, _NARROWING, along="-published_at")
    return Search(
        _list(f"{resource}.newest", rows, instant, filters=of_rows, sorts=sorts, window=window),
        _list(resource, rows, instant, sorts=(*map(_unindexed, POST_SORTS), RELEVANCE)),
    )


class Lists(NamedTuple):
    """What a list is read by: without words, with words, and with words that it is ranked by."""

    plain: ListQuery[PostPage]
    search: Search
    ranking: Search


def _lists(resource: str, rows: Select[Any], instant: Any) -> Lists:
    return Lists(
        _list(resource, rows, instant),
        _search(resource, rows, instant),
        _ranking(f"{resource}.ranked", rows, instant),
    )


# Drafts are not before or after anything.
PUBLIC_POSTS = _lists("posts", _summary.where(_is_public), Post.public_from)
OWN_POSTS = _lists("posts.own", _summary, Post.published_at)

BY_TAG = ListQuery(
    "posts.by_tag",
    PostPage,
    _summary.join(PostTag, PostTag.post_id == Post.id).where(PostTag.public_from <= database_now()),
    identity=PostTag.post_id,
    sorts=(SortKey("published_at", PostTag.public_from, datetime),),
    default_sort="-published_at",
    filters=_filters(PostTag.public_from, equals("tag", PostTag.tag)),
)
"""One tag by time, walked along the tags' own index: it costs the same for rare tags and for frequent ones."""
_ORDERS_OF_TAG = {None, "published_at", "-published_at"}

_anything_due = prepare(select(exists().where(Post.is_announced.is_(False), _is_public).label("due")), bool)


def _tag_list(name: Any, posts: Any, *conditions: ColumnElement[bool]) -> ListQuery[TagPage]:
    return ListQuery(
        "tags",
        TagPage,
        select(*columns_of(TagCount, None, name=name, posts=posts)).where(*conditions),
        identity=name,
        sorts=(SortKey("posts", posts, int), SortKey("name", name, str)),
        default_sort="-posts",
    )


TAGS = _tag_list(TagTotal.tag, TagTotal.posts)
_due = (
    select(PostTag.tag, func.count().label("posts"))
    .join(Post, Post.id == PostTag.post_id)
    .where(Post.is_announced.is_(False), _is_public)
    .group_by(PostTag.tag)
)
_parts = union_all(select(TagTotal.tag, TagTotal.posts), _due).subquery()
_sums = select(_parts.c.tag, cast(func.sum(_parts.c.posts), Integer).label("posts")).group_by(_parts.c.tag).subquery()
TAGS_AND_DUE = _tag_list(_sums.c.tag, _sums.c.posts)
"""The same list in the moments between the time of a scheduled post and its announcement. Slower, so only then."""


class PostReads:
    """Posts as they are shown."""

    def __init__(self, reader: Reader, cursors: CursorCodec) -> None:
        self._reader = reader
        self._cursors = cursors

    async def post(self, post: UUID | str) -> PostRead | None:
        """By id or slug, whether or not it is public."""
        if isinstance(post, UUID):
            return await self._reader.first(_post_by_id, post_id=post)
        return await self._reader.first(_post_by_slug, slug=post)

    async def public_post(self, post: UUID | str) -> PostRead | None:
        """By id or slug, if the public sees it."""
        if isinstance(post, UUID):
            return await self._reader.first(_public_by_id, post_id=post)
        return await self._reader.first(_public_by_slug, slug=post)

    async def post_once_called(self, slug: str) -> PostRead | None:
        """By a slug that it has or had, whether or not it is public."""
        return await self._reader.first(_post_by_former, digest=digest_of(slug))

    async def public_post_once_called(self, slug: str) -> PostRead | None:
        """By a slug that it has or had, if the public sees it."""
        return await self._reader.first(_public_by_former, digest=digest_of(slug))

    async def public_posts(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> PostPage:
        tags = set(filters.get("tag") or ())
        if len(tags) == 1 and not filters.get("q") and sort in _ORDERS_OF_TAG:
            return await self._page(BY_TAG, paging, sort, filters)
        return await self._of(PUBLIC_POSTS, paging, sort, filters)

    async def own_posts(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> PostPage:
        """Drafts, too; ``filters`` have to name the author."""
        return await self._of(OWN_POSTS, paging, sort, filters)

    async def tags(self, paging: PageRequest, sort: str | None) -> TagPage:
        """With what has become public by time alone and is not announced yet."""
        query = TAGS_AND_DUE if await self._reader.scalar(_anything_due) else TAGS
        return await paginate(self._reader, query, paging, self._cursors, sort=sort)

    def nothing(self, paging: PageRequest) -> PostPage:
        """A list without posts. Raises ``InvalidCursor`` for any cursor, since it has never given one."""
        return page_of(PostPage, "posts.nothing", [], paging, self._cursors)

    async def feed(self) -> list[FeedRow]:
        """The newest public posts."""
        return await self._reader.all(_feed)

    async def _of(self, lists: Lists, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> PostPage:
        if not filters.get("q"):
            return await self._page(lists.plain, paging, sort, filters)
        if RELEVANCE.name in (sort or ""):
            return await self._ranked(lists.ranking, paging, sort, filters)
        page = await self._page(lists.search.newest, paging, sort, filters)
        if page.next_cursor is None:  # there may be more beyond the window
            page = await self._page(lists.search.all, paging, sort, filters)
        return page

    async def _ranked(
        self, ranking: Search, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]
    ) -> PostPage:
        if paging.cursor is not None:  # it goes on in the list that it comes from, whatever has been written since
            with suppress(InvalidCursor):
                return await self._page(ranking.newest, paging, sort, filters)
            return await self._page(ranking.all, paging, sort, filters)
        bound = ranking.newest.bind(filters)
        found = await self._reader.scalar(ranking.newest.count(bound.widths), **bound.parameters)
        is_frequent = (found or 0) >= _FREQUENT
        return await self._page(ranking.newest if is_frequent else ranking.all, paging, sort, filters)

    async def _page(
        self, query: ListQuery[PostPage], paging: PageRequest, sort: str | None, filters: Mapping[str, Any]
    ) -> PostPage:
        return await paginate(self._reader, query, paging, self._cursors, sort=sort, filters=filters)


class PostRepository(Repository[Post]):
    model_type = Post

    async def now(self) -> datetime:
        """The database's clock, which decides what is public."""
        now: datetime = (await self.session.execute(select(database_now()))).scalar_one()
        return now

    async def taken_slugs(self, slugs: Sequence[str]) -> set[str]:
        """Those that posts have, or had."""
        digests = {digest_of(slug): slug for slug in slugs}
        taken = await self.session.execute(select(PostSlug.digest).where(PostSlug.digest.in_(digests)))
        return {digests[digest] for digest in taken.scalars()}

    async def claim_slug(self, post: Post) -> bool:
        """Makes the slug the post's for good; false where another post has it, or had it."""
        digest = digest_of(post.slug)
        if await insert_or_ignore(self.session, PostSlug, {"digest": digest, "post_id": post.id}):
            return True
        owner = await self.session.execute(select(PostSlug.post_id).where(PostSlug.digest == digest))
        return owner.scalar_one() == post.id

    async def replace_tags(self, post: Post) -> None:
        """Writes the tags, and from when the post is public, into the table that they are looked up in."""
        await self.session.execute(delete(_tags).where(_tags.c.post_id == post.id))
        rows = [{"post_id": post.id, "tag": tag, "public_from": post.public_from} for tag in sorted(post.tags)]
        if rows:
            await self.session.execute(insert(_tags), rows)

    async def count_tags(self, changes: Mapping[str, int]) -> None:
        """Adds to the totals of tags. Always in one order, so that two writers do not wait for each other in a circle;
        for the same reason it is the last that a transaction locks.
        """
        ordered = [(tag, more) for tag, more in sorted(changes.items()) if more]
        await add_up(self.session, TagTotal, "posts", [{"tag": tag, "posts": more} for tag, more in ordered])
        if fewer := [{"gone": tag} for tag, more in ordered if more < 0]:
            nothing_left = delete(_totals).where(_totals.c.tag == bindparam("gone"), _totals.c.posts <= 0)
            await self.session.execute(nothing_left, fewer)

    async def set_announced(self, post_id: UUID) -> None:
        """Not a change that anybody sees, so the version stays."""
        await self.session.execute(
            update(_posts).where(_posts.c.id == post_id).values(is_announced=True, updated_at=_posts.c.updated_at)
        )

    async def due(self) -> Sequence[Any]:
        """Some posts that have become public without having been announced, locked."""
        return await self._locked(Post.is_announced.is_(False), _is_public, skip_locked=True)

    async def of_author(self, author_id: UUID) -> Sequence[Any]:
        """Some of somebody's posts, locked."""
        return await self._locked(Post.author_id == author_id, skip_locked=False)

    async def delete_all(self, post_ids: Sequence[UUID]) -> None:
        await self.session.execute(delete(_posts).where(_posts.c.id.in_(post_ids)))

    async def _locked(self, *conditions: ColumnElement[bool], skip_locked: bool) -> Sequence[Any]:
        """Only what events and totals are made of: contents may be long."""
        columns = (Post.id, Post.author_id, Post.version, Post.tags, Post.is_announced)
        statement = select(*columns).where(*conditions).order_by(Post.id).limit(_BATCH)
        return (await self.session.execute(statement.with_for_update(skip_locked=skip_locked))).all()
