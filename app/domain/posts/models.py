from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import JSON, Boolean, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.posts.limits import MAX_EXCERPT, MAX_SLUG, MAX_TAG
from app.lib.db.base import Base, Entity, sortable_text

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""From when the public sees a draft."""


class Post(Entity):
    """A draft has no ``published_at``. ``public_from`` is the same instant, or ``NEVER``, so that one index on it says
    who is public, sorts, and finds its place again.

    ``…_words`` are what the full-text index is made of: see ``words.py``. The index itself (a generated
    column on PostgreSQL, an FTS5 table on SQLite) is the migrations' own. ``is_announced`` is whether
    ``post.published`` has been told of this publication.
    """

    __tablename__ = "posts"

    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(255))
    title_key: Mapped[str] = mapped_column(sortable_text(255))
    slug: Mapped[str] = mapped_column(sortable_text(MAX_SLUG), unique=True)
    excerpt: Mapped[str] = mapped_column(String(MAX_EXCERPT))
    has_own_excerpt: Mapped[bool] = mapped_column(Boolean, default=False)
    tags: Mapped[list[str]] = mapped_column(JSON)
    published_at: Mapped[datetime | None]
    public_from: Mapped[datetime] = mapped_column(default=NEVER)
    is_announced: Mapped[bool] = mapped_column(Boolean, default=False)
    # The long ones last, so that SQLite need not read past them.
    content: Mapped[str] = mapped_column(Text, sort_order=200)
    title_words: Mapped[str] = mapped_column(Text, sort_order=201)
    content_words: Mapped[str] = mapped_column(Text, sort_order=202)

    __table_args__ = (
        Index(None, "public_from", "id"),
        Index(None, "author_id", "public_from", "id"),
        Index(None, "title_key", "id"),
        Index(None, "created_at", "id"),
        # For the job that announces what has become public: it holds what is still to come, and drafts.
        Index(None, "is_announced", "public_from"),
    )


class PostTag(Base):
    """A tag of a post, with the post's ``public_from``, so that one index serves a tag's list and its count."""

    __tablename__ = "post_tags"

    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(sortable_text(MAX_TAG), primary_key=True)
    public_from: Mapped[datetime]

    __table_args__ = (Index(None, "tag", "public_from", "post_id"),)


class PostSlug(Base):
    """Every slug that a post has or had, and whose it is: no other post ever gets it, because links, and the ETags in
    caches, would then mean another post. Only digests, so that what people called their posts goes with the posts.
    """

    __tablename__ = "post_slugs"

    digest: Mapped[str] = mapped_column(sortable_text(64), primary_key=True)
    post_id: Mapped[UUID | None] = mapped_column(ForeignKey("posts.id", ondelete="SET NULL"), index=True)


class TagTotal(Base):
    """How many announced posts have a tag, so that nobody has to count them. Written by whoever changes those, in the
    same transaction; a row that has come to nothing is removed.
    """

    __tablename__ = "tag_totals"

    tag: Mapped[str] = mapped_column(sortable_text(MAX_TAG), primary_key=True)
    posts: Mapped[int] = mapped_column(Integer)

    __table_args__ = (Index(None, "posts", "tag"),)
