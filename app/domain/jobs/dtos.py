"""What goes over the wire about jobs. Payloads may hold personal data, so only the single view shows them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta

from app.lib.events.declaration import MAX_KIND_LENGTH
from app.lib.http.conditional import Version, Versioned
from app.lib.jobs.declaration import MAX_KEY_LENGTH, MAX_NAME_LENGTH
from app.lib.jobs.tables import MAX_ERROR_LENGTH, MAX_REQUEST_ID_LENGTH, JobStatus
from app.lib.pagination.envelope import Page
from app.lib.wire.dto import Output
from app.lib.wire.struct_schema import example_id

_POST_ID = example_id("post_id")
_DATA = {"post_id": _POST_ID, "author_id": example_id("user_id"), "version": 1}
JobKind = Annotated[str, Meta(max_length=MAX_NAME_LENGTH, examples=["jobs.purge"])]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1, examples=[0])]
ErrorKind = Annotated[str, Meta(max_length=100, description="The type of the last error.")]


class JobRead(Output):
    """A job in a list."""

    id: UUID
    kind: JobKind
    status: JobStatus
    attempts: Count
    run_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_kind: ErrorKind | None
    request_id: Annotated[str, Meta(max_length=MAX_REQUEST_ID_LENGTH, description="The first request.")] | None


class JobDetail(JobRead, Versioned):
    """A job with its payload, which may hold personal data, and its last error."""

    key: Annotated[str, Meta(max_length=MAX_KEY_LENGTH)] | None
    worker: Annotated[str, Meta(max_length=100, description="The last worker: host and process.")] | None
    losses: Annotated[Count, Meta(description="Workers that were lost with it.")]
    error: Annotated[str, Meta(max_length=MAX_ERROR_LENGTH)] | None
    payload: dict[str, Any]
    version: Version


JobPage = Page[JobRead]


class ScheduleRead(Output):
    """A schedule as the command line shows it."""

    name: str
    spec: str
    next_at: datetime
    last_at: datetime | None


class EventSummary(Output):
    """An event as the command line shows it."""

    id: UUID
    kind: Annotated[str, Meta(max_length=MAX_KIND_LENGTH, examples=["post.deleted"])]
    aggregate_id: Annotated[UUID, Meta(description="What it happened to.", examples=[_POST_ID])]
    aggregate_version: Annotated[int, Meta(ge=0, le=2**31 - 1, description="Its version then; 0 if that stayed.")]
    created_at: datetime


class EventRead(EventSummary):
    """What happened. ``data`` is what webhooks of the kind are sent, without what people wrote (the reason of an
    order's cancellation), so nothing that names a person.
    """

    data: Annotated[dict[str, Any], Meta(examples=[_DATA])]


EventPage = Page[EventRead]


class EventRow(EventSummary):
    """An event as it is stored."""

    payload: str
