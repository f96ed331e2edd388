"""The wall clock, in one place."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, aware and in UTC, with microseconds."""
    return datetime.now(UTC)
