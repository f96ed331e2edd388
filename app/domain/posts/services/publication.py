"""When a post becomes public."""

from datetime import UTC, datetime, timedelta

from msgspec import UnsetType

from app.domain.posts.models import NEVER, Post
from app.lib.errors import FieldCode, FieldError, ValidationFailed

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
FURTHEST = timedelta(days=3653)
"""Ten years ahead."""


def decide(
    current: datetime | None,
    is_published: bool | UnsetType,
    published_at: datetime | None | UnsetType,
    now: datetime,
) -> datetime | None:
    """From when a post shall be public, None for a draft, by the two members of a body. Raises ``ValidationFailed``."""
    if isinstance(published_at, datetime):
        if is_published is False:
            raise _refused("/published_at", FieldCode.INVALID_CHOICE, "Must be null or absent for a draft.")
        check_instant(published_at, now, "/published_at")
        return published_at
    if is_published is True:
        return now if published_at is None or current is None else current
    return None if is_published is False or published_at is None else current


def check_instant(at: datetime, now: datetime, pointer: str) -> None:
    """Raises ``ValidationFailed`` for an instant before 1970 or more than ten years ahead."""
    if at < EARLIEST:
        raise _refused(pointer, FieldCode.TOO_SMALL, "Must not be before 1970.")
    if at > now + FURTHEST:
        raise _refused(pointer, FieldCode.TOO_LARGE, "Must be within the next ten years.")


def publish(post: Post, at: datetime | None, now: datetime) -> bool:
    """Makes the post public from an instant on, or a draft. Returns whether it has become public by this; what becomes
    public later is announced by a job.
    """
    post.published_at = at
    post.public_from = at or NEVER
    was_announced = post.is_announced
    post.is_announced = is_public(post, now)
    return post.is_announced and not was_announced


def is_public(post: Post, now: datetime) -> bool:
    return post.public_from <= now


def _refused(pointer: str, code: FieldCode, detail: str) -> ValidationFailed:
    return ValidationFailed([FieldError(pointer=pointer, code=code, detail=detail)])
