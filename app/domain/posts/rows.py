"""Rows that are read but never sent as they are."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.posts.dtos import PostSummary


class FeedRow(PostSummary):
    """A public post for the feed. Long posts have no HTML."""

    public_from: datetime
    html: str | None


class WrittenRow(msgspec.Struct, frozen=True):
    """Of a post that was written without having been read: what its event is made of."""

    id: UUID
    author_id: UUID
    version: int
    is_announced: bool
    slug: str
