from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from msgspec import UNSET
from sqlalchemy.exc import IntegrityError

from app.domain.accounts.services.access import account_must_exist
from app.domain.posts.dtos import PostCreate, PostRead, PostUpdate
from app.domain.posts.errors import NotYourPost, PostNotFound, PostNotVisible, SlugTaken
from app.domain.posts.events import PostDeleted, PostPublished, PostsChanged, PostUpdated
from app.domain.posts.models import Post
from app.domain.posts.permissions import POSTS_DELETE, POSTS_WRITE
from app.domain.posts.repositories import PostRepository
from app.domain.posts.services.publication import check_instant, decide, is_public, publish
from app.domain.posts.services.queries import sees_everything
from app.domain.posts.services.texts import texts_of
from app.domain.posts.services.totals import counted, difference
from app.domain.posts.slugs import numbered
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.base import new_id
from app.lib.db.faults import violated_columns
from app.lib.db.service import EntityService
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.events import Events
from app.lib.security.principal import Principal
from app.lib.wire.dto import provided

_ATTEMPTS = 4


class AnnounceLater(Protocol):
    """Has the post announced at the instant, if it is still to become public then."""

    async def __call__(self, unit: UnitOfWork, post_id: UUID, at: datetime, now: datetime) -> None: ...


class _Locked(NamedTuple):
    """A post that nobody else changes for now, the time, and what the post had before the change."""

    post: Post
    now: datetime
    counted: Counter[str]
    slug: str


class PostService(EntityService[Post, PostRepository]):
    """How posts come, change, become public and go."""

    repository_type = PostRepository
    not_found = PostNotFound

    def __init__(self, unit: UnitOfWork, events: Events, origin: Origin, announce_later: AnnounceLater) -> None:
        super().__init__(unit)
        self.events = events
        self.origin = origin
        self.announce_later = announce_later

    async def add(self, data: PostCreate, actor: Principal) -> PostRead:
        """Raises ``ValidationFailed``, ``SlugTaken`` or ``AccountGone``."""
        texts = await texts_of(data.title, data.content)
        now = await self.repository.now()
        post = Post(
            id=new_id(),
            author_id=actor.user_id,
            title=data.title,
            title_key=texts.title_key,
            title_words=texts.title_words,
            content=data.content,
            content_words=texts.content_words,
            excerpt=texts.excerpt if data.excerpt is None else data.excerpt,
            has_own_excerpt=data.excerpt is not None,
            tags=data.tags,
            is_announced=False,
        )
        becomes_public = publish(post, decide(None, data.is_published, data.published_at, now), now)
        with account_must_exist():
            if data.slug is UNSET:
                await self._insert(post, texts.slug)
            elif not await self._try_insert(post, data.slug):
                raise SlugTaken
        await self.repository.replace_tags(post)
        if becomes_public:
            await self._record(PostPublished, post, post.version)
        await self._schedule(post, now)
        await self._settle(_Locked(post, now, Counter(), post.slug), counted(post.tags, is_announced=post.is_announced))
        return to_read(post)

    async def change(self, post_id: UUID, data: PostUpdate, if_match: IfMatch, actor: Principal) -> PostRead:
        """Raises ``NotYourPost``, ``PostNotVisible``, ``ValidationFailed``, ``SlugTaken`` or ``PreconditionFailed``."""
        locked = await self._require(post_id, if_match, actor, POSTS_WRITE)
        post, now = locked.post, locked.now
        await _assign(post, provided(data))
        becomes_public = False
        if data.is_published is not UNSET or data.published_at is not UNSET:
            at = decide(post.published_at, data.is_published, data.published_at, now)
            becomes_public = publish(post, at, now)
        return await self._keep(locked, actor, becomes_public=becomes_public)

    async def publish(self, post_id: UUID, at: datetime | None, if_match: IfMatch, actor: Principal) -> PostRead:
        """Now or at an instant; what is public stays as it is unless an instant is given.

        Raises ``NotYourPost``, ``PostNotVisible``, ``ValidationFailed`` or ``PreconditionFailed``.
        """
        locked = await self._require(post_id, if_match, actor, POSTS_WRITE)
        post, now = locked.post, locked.now
        if at is not None:
            check_instant(at, now, "/at")
        elif is_public(post, now):
            at = post.published_at
        return await self._keep(locked, actor, becomes_public=publish(post, at or now, now))

    async def unpublish(self, post_id: UUID, if_match: IfMatch, actor: Principal) -> PostRead:
        """Makes it a draft. Raises ``NotYourPost``, ``PostNotVisible`` or ``PreconditionFailed``."""
        locked = await self._require(post_id, if_match, actor, POSTS_WRITE)
        return await self._keep(locked, actor, becomes_public=publish(locked.post, None, locked.now))

    async def remove(self, post_id: UUID, if_match: IfMatch, actor: Principal) -> None:
        """Raises ``NotYourPost``, ``PostNotVisible`` or ``PreconditionFailed``."""
        locked = await self._require(post_id, if_match, actor, POSTS_DELETE)
        post = locked.post
        event = PostDeleted(
            aggregate_id=post.id,
            aggregate_version=post.version + 1,
            author_id=post.author_id,
            was_public=post.is_announced,
        )
        await self.events.publish(self.unit, event)
        await self._audit("post.deleted", post, actor)
        await self.repository.delete_all([post.id])
        await self._settle(locked, Counter())

    async def _require(self, post_id: UUID, if_match: IfMatch, actor: Principal, permission: str) -> _Locked:
        post = await self.require_locked(post_id)
        now = await self.repository.now()
        if post.author_id != actor.user_id and not actor.may(permission):
            raise NotYourPost(permission) if is_public(post, now) or sees_everything(actor) else PostNotVisible
        if_match.check(post.version)
        return _Locked(post, now, counted(post.tags, is_announced=post.is_announced), post.slug)

    async def _keep(self, locked: _Locked, actor: Principal, *, becomes_public: bool) -> PostRead:
        """Writes what has changed and tells of it; nothing happens when nothing has."""
        post = locked.post
        if not self.unit.session.is_modified(post):
            return to_read(post)
        try:
            await self.repository.flush()
        except IntegrityError as exc:
            raise (SlugTaken() if "slug" in violated_columns(exc) else exc) from exc
        if post.slug != locked.slug and not await self.repository.claim_slug(post):
            raise SlugTaken
        await self.repository.replace_tags(post)
        await self._record(PostPublished if becomes_public else PostUpdated, post, post.version)
        await self._audit("post.updated", post, actor)
        await self._schedule(post, locked.now)
        await self._settle(locked, counted(post.tags, is_announced=post.is_announced))
        return to_read(post)

    async def _schedule(self, post: Post, now: datetime) -> None:
        if post.published_at is not None and not post.is_announced:
            await self.announce_later(self.unit, post.id, post.published_at, now)

    async def _settle(self, locked: _Locked, now_counted: Counter[str]) -> None:
        """The last of each change: what is remembered and counted of posts follows it."""
        keys: set[UUID | str] = {locked.post.id, locked.slug, locked.post.slug}
        await self.events.publish(self.unit, PostsChanged(keys=frozenset(keys)))
        await self.repository.count_tags(difference(locked.counted, now_counted))

    async def _insert(self, post: Post, wanted: str) -> None:
        """With the slug, or the first of its numbered ones that is free; a random one where those are used up, or
        many want the same at the same time.
        """
        candidates = numbered(wanted)
        for _ in range(_ATTEMPTS):
            taken = await self.repository.taken_slugs(candidates)
            free = next((slug for slug in candidates if slug not in taken), None)
            if free is None:
                break
            if await self._try_insert(post, free):
                return
        if not await self._try_insert(post, f"{wanted}-{post.id.hex[-12:]}"):
            raise SlugTaken

    async def _try_insert(self, post: Post, slug: str) -> bool:
        post.slug = slug
        try:
            # A savepoint, so that a taken slug leaves the transaction usable.
            async with self.unit.session.begin_nested():
                await self.repository.insert(post)
                if not await self.repository.claim_slug(post):
                    raise SlugTaken
        except SlugTaken:
            return False
        except IntegrityError as exc:
            if "slug" not in violated_columns(exc):
                raise
            return False
        return True

    async def _record(self, kind: type[PostPublished | PostUpdated], post: Post, version: int) -> None:
        await self.events.publish(
            self.unit, kind(aggregate_id=post.id, aggregate_version=version, author_id=post.author_id)
        )

    async def _audit(self, kind: str, post: Post, actor: Principal) -> None:
        """What people do to others' posts; their own are their own business."""
        if post.author_id != actor.user_id:
            await audit.record(self.unit, kind, self.origin, subject_id=post.author_id, post_id=str(post.id))


async def _assign(post: Post, patch: Mapping[str, Any]) -> None:
    for name in ("title", "content", "slug", "tags"):
        if name in patch:
            setattr(post, name, patch[name])
    if "excerpt" in patch:
        post.has_own_excerpt = patch["excerpt"] is not None
    if patch.keys() & {"title", "content", "excerpt"}:
        texts = await texts_of(post.title, post.content)
        post.title_key, post.title_words = texts.title_key, texts.title_words
        post.content_words = texts.content_words
        if not post.has_own_excerpt:
            post.excerpt = texts.excerpt
        elif "excerpt" in patch:
            post.excerpt = patch["excerpt"]


def to_read(post: Post) -> PostRead:
    """A post as it is shown, from the entity just written."""
    return PostRead(
        id=post.id,
        author_id=post.author_id,
        title=post.title,
        slug=post.slug,
        content=post.content,
        excerpt=post.excerpt,
        tags=post.tags,
        is_published=post.published_at is not None,
        published_at=post.published_at,
        created_at=post.created_at,
        updated_at=post.updated_at,
        version=post.version,
    )
