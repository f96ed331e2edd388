"""Slugs: titles as parts of URLs."""

import re
from collections.abc import Iterable
from hashlib import sha256
from uuid import UUID

from anyascii import anyascii

from app.domain.posts.dtos import MAX_SLUG, UUID_LIKE

_ROOM_FOR_SUFFIX = 20
_BETWEEN = re.compile(r"[^a-z0-9]+")
_FALLBACK = "post"
_NUMBERED = 20


def slug_of(title: str) -> str:
    """The slug that a title wants: ASCII letters and digits with hyphens between. It leaves room for a suffix."""
    words = _BETWEEN.sub("-", anyascii(title).lower().replace("'", "")).strip("-")
    slug = words[: MAX_SLUG - _ROOM_FOR_SUFFIX].strip("-")
    if not slug or UUID_LIKE.fullmatch(slug):
        return f"{_FALLBACK}-{slug}".strip("-")
    return slug


def digest_of(slug: str, author_id: UUID | None = None) -> str:
    """What is kept of a slug for good: of a public post, or, with an author, among the posts of that author."""
    return digests_of([slug], author_id)[0]


def digests_of(slugs: Iterable[str], author_id: UUID | None = None) -> list[str]:
    """:func:`digest_of` each."""
    prefix = f"{author_id}/" if author_id else ""
    return [sha256(f"{prefix}{slug}".encode()).hexdigest() for slug in slugs]


def numbered(slug: str) -> list[str]:
    """The slug, and what further posts of the same title are called."""
    return [slug, *(f"{slug}-{number}" for number in range(2, _NUMBERED + 1))]
