from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import JSON, Boolean, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.posts.dtos import MAX_EXCERPT, MAX_SLUG, MAX_TAG
from app.lib.db.base import Base, Entity, sortable_text
from app.lib.db.search import SearchTokens

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""From when the public sees a draft."""


class Post(Entity):
    """A draft has no ``published_at``. ``public_from`` is the same instant, or ``NEVER``, so that one index on it says
    which posts are public, sorts them, and finds a place in the list again. ``is_announced`` is whether there was a
    ``post.published`` for this publication.

    ``html`` is the content for the feed; long posts have none. Searches look at ``search``, which includes the title.
    """

    __tablename__ = "posts"

    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(255))
    title_key: Mapped[str] = mapped_column(sortable_text(255))
    slug: Mapped[str] = mapped_column(sortable_text(MAX_SLUG))
    excerpt: Mapped[str] = mapped_column(String(MAX_EXCERPT))
    has_own_excerpt: Mapped[bool] = mapped_column(Boolean, default=False)
    tags: Mapped[list[str]] = mapped_column(JSON)
    metadata_: Mapped[dict[str, str]] = mapped_column("metadata", JSON, default=dict)
    published_at: Mapped[datetime | None]
    public_from: Mapped[datetime] = mapped_column(default=NEVER)
    is_announced: Mapped[bool] = mapped_column(Boolean, default=False)
    # The long ones last, so that SQLite need not read past them.
    title_search: Mapped[str] = mapped_column(SearchTokens, deferred=True, sort_order=200)
    content: Mapped[str] = mapped_column(Text, sort_order=201)
    html: Mapped[str | None] = mapped_column(Text, deferred=True, sort_order=202)
    search: Mapped[str] = mapped_column(SearchTokens, deferred=True, sort_order=203)

    __table_args__ = (
        Index(None, "slug", "author_id"),
        Index(None, "public_from", "id"),
        Index(None, "author_id", "public_from", "id"),
        Index(None, "title_key", "id"),
        Index(None, "created_at", "id"),
        Index(None, "updated_at", "id"),
        # For the job that announces what has become public: it holds what is still to come, and drafts.
        Index(None, "is_announced", "public_from"),
    )

    @property
    def is_published(self) -> bool:
        """Whether its publication is decided: now or at an instant to come."""
        return self.published_at is not None


class PostTag(Base):
    """A tag of a post, with the post's ``public_from``, so that one index counts the public posts of each tag."""

    __tablename__ = "post_tags"

    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(sortable_text(MAX_TAG), primary_key=True)
    public_from: Mapped[datetime]

    __table_args__ = (Index(None, "tag", "public_from"),)


class PostSlug(Base):
    """Every slug that a public post has or had: no other one ever gets it, because links, and the ETags in caches,
    would then mean another post. Only digests, so that the words of deleted posts are deleted, too.

    What is not public must not show by the slugs that others get. So a slug is the post's among those of its author
    first, and among all when the post becomes public.

    A slug is claimed before its post is inserted, so the foreign key is checked at the commit.
    """

    __tablename__ = "post_slugs"

    digest: Mapped[str] = mapped_column(sortable_text(64), primary_key=True)
    post_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("posts.id", ondelete="SET NULL", deferrable=True, initially="DEFERRED"), index=True
    )
