from typing import Annotated

from msgspec import Meta

from app.config import Section


class JobSettings(Section, frozen=True, kw_only=True):
    """How long finished jobs and events are kept."""

    jobs_retention_days: Annotated[int, Meta(ge=1, le=3650, description="How long finished jobs are kept.")] = 7
    jobs_failed_retention_days: Annotated[int, Meta(ge=1, le=3650, description="How long failed jobs are kept.")] = 90
    events_retention_days: Annotated[
        int, Meta(ge=1, le=3650, description="How long events are kept, for `GET /events` and listeners to come.")
    ] = 365
