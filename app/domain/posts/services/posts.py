from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from msgspec import UNSET, UnsetType

from app.domain.posts.dtos import PostCreate, PostRead, PostUpdate
from app.domain.posts.errors import NotYourPost, PostNotVisible
from app.domain.posts.events import PostDeleted, PostEvent, PostPublished, PostUpdated
from app.domain.posts.models import Post
from app.domain.posts.permissions import POSTS_DELETE, POSTS_WRITE
from app.domain.posts.repositories import PostRepository
from app.domain.posts.services.publication import check_instant, decide, is_public, publish
from app.domain.posts.services.queries import sees_everything
from app.domain.posts.services.slugs import SlugClaims
from app.domain.posts.services.texts import columns_of_texts
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.events import Events
from app.lib.security.principal import Principal
from app.lib.wire.dto import project, provided
from app.lib.wire.metadata import merge_metadata


class _Locked(NamedTuple):
    """A post that no other transaction changes for now, the time, and whether the public sees it."""

    post: Post
    now: datetime
    was_public: bool


class PostService:
    """Writing posts. The author may do it all; others need a permission, and leave a trace in the audit log."""

    def __init__(self, unit: UnitOfWork, events: Events, origin: Origin) -> None:
        self.unit = unit
        self._posts = PostRepository(unit)
        self._slugs = SlugClaims(self._posts)
        self._events = events
        self._origin = origin

    async def create(self, data: PostCreate, actor: Principal) -> PostRead:
        """Raises ``ValidationFailed``, ``SlugTaken`` or ``AccountGone``."""
        now = await self._posts.now()
        columns = await columns_of_texts(data.title, data.content, data.tags, data.excerpt)
        wanted_slug = columns.pop("slug")
        post = Post(
            id=new_id(),
            author_id=actor.user_id,
            title=data.title,
            content=data.content,
            tags=data.tags,
            has_own_excerpt=data.excerpt is not None,
            is_announced=False,
            metadata_=data.metadata,
            **columns,
        )
        becomes_public = publish(post, decide(None, data.is_published, data.published_at, now), now)
        is_visible = is_public(post, now)
        post.slug = await (
            self._slugs.claim_free(post.id, post.author_id, wanted_slug, is_public=is_visible)
            if data.slug is UNSET
            else self._slugs.claim(post.id, post.author_id, data.slug, is_public=is_visible)
        )
        await self._posts.create(post)
        await self._posts.create_tags(post)
        if becomes_public:
            await self._publish(PostPublished, post)
        return project(PostRead, post, metadata=post.metadata_)

    async def update(self, post_id: UUID, data: PostUpdate, if_match: IfMatch, actor: Principal) -> PostRead:
        """Raises ``NotYourPost``, ``PostNotVisible``, ``ValidationFailed``, ``SlugTaken`` or ``PreconditionFailed``."""
        locked = await self._lock(post_id, if_match, actor, POSTS_WRITE)
        post, values = locked.post, provided(data)
        becomes_public, at = False, post.published_at
        if decides := values.keys() & {"is_published", "published_at"}:
            at = decide(at, data.is_published, data.published_at, locked.now)
        post.slug = await self._claim_slug(locked, data.slug, at)
        if decides:
            becomes_public = publish(post, at, locked.now)
        before = (post.title, post.content, post.tags, post.has_own_excerpt, post.excerpt)
        for name in values.keys() & {"title", "content", "tags"}:
            setattr(post, name, values[name])
        if "metadata" in values:
            post.metadata_ = merge_metadata(post.metadata_, values["metadata"])
        if "excerpt" in values:
            post.has_own_excerpt = values["excerpt"] is not None
            post.excerpt = values["excerpt"] or post.excerpt
        if (post.title, post.content, post.tags, post.has_own_excerpt, post.excerpt) != before:
            own_excerpt = post.excerpt if post.has_own_excerpt else None
            for name, value in (await columns_of_texts(post.title, post.content, post.tags, own_excerpt)).items():
                if name != "slug":
                    setattr(post, name, value)
        return await self._save(locked, actor, becomes_public=becomes_public)

    async def delete(self, post_id: UUID, if_match: IfMatch, actor: Principal) -> None:
        """Raises ``NotYourPost``, ``PostNotVisible`` or ``PreconditionFailed``."""
        post = (await self._lock(post_id, if_match, actor, POSTS_DELETE)).post
        event = PostDeleted(
            aggregate_id=post.id,
            aggregate_version=post.version + 1,
            author_id=post.author_id,
            was_public=post.is_announced,
        )
        await self._events.publish(self.unit, event)
        await self._audit("post.deleted", post, actor)
        await self._posts.delete(post)

    async def publish(self, post_id: UUID, at: datetime | None, if_match: IfMatch, actor: Principal) -> PostRead:
        """Now or at an instant; what is public stays as it is unless an instant is given.

        Raises ``NotYourPost``, ``PostNotVisible``, ``ValidationFailed`` or ``PreconditionFailed``.
        """
        locked = await self._lock(post_id, if_match, actor, POSTS_WRITE)
        if at is not None:
            check_instant(at, locked.now, "/published_at")
        elif locked.was_public:
            at = locked.post.published_at
        at = at or locked.now
        locked.post.slug = await self._claim_slug(locked, UNSET, at)
        becomes_public = publish(locked.post, at, locked.now)
        return await self._save(locked, actor, becomes_public=becomes_public)

    async def unpublish(self, post_id: UUID, if_match: IfMatch, actor: Principal) -> PostRead:
        """Makes it a draft. Raises ``NotYourPost``, ``PostNotVisible`` or ``PreconditionFailed``."""
        locked = await self._lock(post_id, if_match, actor, POSTS_WRITE)
        publish(locked.post, None, locked.now)
        return await self._save(locked, actor, becomes_public=False)

    async def _lock(self, post_id: UUID, if_match: IfMatch, actor: Principal, permission: str) -> _Locked:
        post = await self._posts.get_for_update(post_id)
        now = await self._posts.now()
        was_public = is_public(post, now)
        if post.author_id != actor.user_id and not actor.may(permission):
            raise NotYourPost(permission) if was_public or sees_everything(actor) else PostNotVisible
        if_match.check(post.version)
        return _Locked(post, now, was_public)

    async def _save(self, locked: _Locked, actor: Principal, *, becomes_public: bool) -> PostRead:
        """Writes what has changed and publishes it; does nothing when nothing has."""
        post, now, was_public = locked
        if await self._posts.update(post):
            await self._posts.delete_tags(post)
            await self._posts.create_tags(post)
            kind = (
                PostPublished if becomes_public else partial(PostUpdated, was_public=was_public or is_public(post, now))
            )
            await self._publish(kind, post)
            await self._audit("post.updated", post, actor)
        return project(PostRead, post, metadata=post.metadata_)

    async def _claim_slug(self, locked: _Locked, wanted: str | UnsetType, at: datetime | None) -> str:
        """The slug of a post that will be public from that instant. Call it before anything of the post is changed,
        because a statement writes the changes. Raises ``SlugTaken``.
        """
        post, is_visible = locked.post, at is not None and at <= locked.now
        if wanted is not UNSET and wanted != post.slug:
            return await self._slugs.claim(post.id, post.author_id, wanted, is_public=is_visible)
        if is_visible and not post.is_announced:
            return await self._slugs.claim_at_publication(post.id, post.author_id, post.slug)
        return post.slug

    async def _publish(self, kind: Callable[..., PostEvent], post: Post) -> None:
        event = kind(aggregate_id=post.id, aggregate_version=post.version, author_id=post.author_id)
        await self._events.publish(self.unit, event)

    async def _audit(self, kind: str, post: Post, actor: Principal) -> None:
        """Only what people do to the posts of others."""
        if post.author_id != actor.user_id:
            await audit.record(self.unit, kind, self._origin, subject_id=post.author_id, post_id=str(post.id))
