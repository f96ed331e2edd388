from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta

from app.domain.accounts.dtos import PersonId
from app.lib.addresses import MAX_LENGTH
from app.lib.audit.kinds import MAX_KIND_LENGTH
from app.lib.audit.tables import MAX_REQUEST_ID, MAX_USER_AGENT
from app.lib.pagination.envelope import Page
from app.lib.wire.dto import Output

Kind = Annotated[str, Meta(max_length=MAX_KIND_LENGTH, examples=["sign_in.ok"])]
Address = Annotated[str, Meta(max_length=MAX_LENGTH, examples=["203.0.113.7"])]
UserAgent = Annotated[str, Meta(max_length=MAX_USER_AGENT)]
RequestId = Annotated[str, Meta(max_length=MAX_REQUEST_ID)]


class AuditEventRead(Output):
    """An event of the audit log. ``stream`` and ``seq`` are its place in the chain."""

    id: UUID
    created_at: datetime
    kind: Kind
    actor_id: Annotated[PersonId, Meta(description="Who did it; null for callers who are not signed in.")] | None
    subject_id: Annotated[PersonId, Meta(description="The user or thing that it was done to.")] | None
    session_id: Annotated[UUID, Meta(description="The session of the actor.")] | None
    address: Address | None
    user_agent: UserAgent | None
    request_id: Annotated[RequestId, Meta(description="Made by the service for this request.")] | None
    client_request_id: Annotated[RequestId, Meta(description="The `X-Request-ID` that the client sent.")] | None
    details: dict[str, Any]
    stream: Annotated[str, Meta(max_length=16, examples=["lasting"])]
    seq: Annotated[int, Meta(ge=1, le=2**63 - 1)]


class AuditEventPage(Page[AuditEventRead], frozen=True, kw_only=True):
    """Events of the audit log."""


class SecurityEventRead(Output):
    """What happened to your account. Address and device are those of your own requests, and of those that were not
    signed in, such as failed sign-ins; not those of administrators.
    """

    id: UUID
    created_at: datetime
    kind: Kind
    by_other: Annotated[bool, Meta(description="Whether another user did it, such as an administrator.")]
    address: Address | None
    user_agent: UserAgent | None


class SecurityEventPage(Page[SecurityEventRead], frozen=True, kw_only=True):
    """Security events of a user."""
