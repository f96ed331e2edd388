"""What goes over the wire about posts. Create and Update Structs name everything that may be set."""

import re
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.domain.accounts.dtos import PersonId, PersonRead
from app.lib.errors import FieldCode
from app.lib.http.conditional import Version, Versioned
from app.lib.pagination.envelope import Page
from app.lib.wire.decoding import Check, FieldProblem, Hint
from app.lib.wire.dto import Input, Output
from app.lib.wire.fields import SingleLine, TextLines, Timestamp, VisibleTextLines
from app.lib.wire.metadata import Metadata, MetadataPatch

Status = Literal["draft", "scheduled", "published"]
PUBLISHED: Final = "published"
MAX_SLUG: Final = 100
MAX_TAG: Final = 40
MAX_TAGS: Final = 10
MAX_CONTENT: Final = 100_000
MAX_EXCERPT: Final = 500
UUID_LIKE: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")


def _check_slug(value: str) -> str:
    if UUID_LIKE.fullmatch(value):
        raise FieldProblem(FieldCode.INVALID_FORMAT, "Must not look like an id.")
    return value


def _check_tags(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


Slug = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_SLUG, pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$(?!\n)", examples=["sailing-by-night"]),
    Check(_check_slug),
    Hint("Must be lower-case letters and digits, with single hyphens between them."),
]
Tag = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_TAG, pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$(?!\n)", examples=["sailing"]),
    Hint("Must be lower-case letters and digits, with single hyphens between them."),
]
Tags = Annotated[list[Tag], Meta(max_length=MAX_TAGS), Check(_check_tags)]
Title = Annotated[SingleLine, Meta(examples=["Sailing by night"])]
_IsPublished = Annotated[bool, Meta(examples=[True])]
Markdown = Annotated[
    TextLines,
    Meta(max_length=MAX_CONTENT, description="Markdown (CommonMark).", examples=["# Night\n\nStars, *many*."]),
]
OwnExcerpt = Annotated[VisibleTextLines, Meta(max_length=MAX_EXCERPT, examples=["Stars, many."])]
Excerpt = Annotated[TextLines, Meta(max_length=MAX_EXCERPT, examples=["Stars, many."])]


class PostSummary(Output):
    """A post in a list: all but its content and metadata. ``is_published`` is whether its publication is decided; the
    public sees it from ``published_at`` on.
    """

    id: UUID
    author_id: PersonId
    title: Title
    slug: Slug
    excerpt: Excerpt
    tags: Annotated[list[Tag], Meta(max_length=MAX_TAGS)]
    is_published: _IsPublished
    published_at: Annotated[datetime, Meta(examples=["2026-01-31T12:00:00Z"])] | None
    created_at: datetime
    updated_at: datetime
    version: Version


ShownMetadata = Annotated[Metadata, Meta(description="Null for those who may not update the post.")]


class PostRead(PostSummary, Versioned):
    """A post with its content. When a scheduled one becomes public, `updated_at` and the ETag change."""

    is_live: ClassVar[bool] = True

    content: Markdown
    metadata: ShownMetadata | None


class PostSummaryWithAuthor(PostSummary):
    """A post in a list with ``expand=author``."""

    author: PersonRead | None


class PostWithAuthor(PostSummaryWithAuthor):
    """A post with ``expand=author``. It has no ETag, because it is two resources."""

    content: Markdown
    metadata: ShownMetadata | None


class PostPage(Page[PostSummary], frozen=True, kw_only=True):
    """Posts."""


class PostWithAuthorPage(Page[PostSummaryWithAuthor], frozen=True, kw_only=True):
    """Posts with their authors."""


class PostCreate(Input):
    """A new post: a draft, unless it is published (now, or at an instant)."""

    title: Title
    content: Markdown
    slug: Slug | UnsetType = UNSET
    excerpt: OwnExcerpt | None = None
    tags: Tags = msgspec.field(default_factory=list)
    is_published: _IsPublished | UnsetType = UNSET
    published_at: Annotated[Timestamp, Meta(extra={"is_alternative": True})] | None | UnsetType = UNSET
    metadata: Metadata = msgspec.field(default_factory=dict)


class PostUpdate(Input):
    """A merge patch of a post. An excerpt that is null is made of the content again."""

    title: Title | UnsetType = UNSET
    slug: Slug | UnsetType = UNSET
    content: Markdown | UnsetType = UNSET
    excerpt: OwnExcerpt | None | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    is_published: _IsPublished | UnsetType = UNSET
    published_at: Annotated[Timestamp, Meta(extra={"is_alternative": True})] | None | UnsetType = UNSET
    metadata: MetadataPatch | None | UnsetType = UNSET


class Publication(Input):
    """When a post becomes public; now, where nothing is said."""

    published_at: Timestamp | None = None


class TagCount(Output):
    """A tag, and how many public posts have it."""

    name: Tag
    posts: Annotated[int, Meta(ge=1, le=2**31 - 1)]


class TagPage(Page[TagCount], frozen=True, kw_only=True):
    """Tags of public posts."""
