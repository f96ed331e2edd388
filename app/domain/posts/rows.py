"""Rows that are read but never sent as they are."""

from datetime import datetime
from uuid import UUID

import msgspec


class FeedRow(msgspec.Struct, frozen=True):
    """A public post for the feed. Long posts have no HTML."""

    id: UUID
    author_id: UUID
    title: str
    slug: str
    html: str | None
    excerpt: str
    tags: list[str]
    published_at: datetime
    updated_at: datetime
    version: int
