from typing import Annotated, Any
from uuid import UUID

from litestar import get
from litestar.params import QueryParameter
from msgspec import Meta

from app.domain.audit.dtos import AuditEventPage, SecurityEventPage
from app.domain.audit.permissions import AUDIT_READ
from app.domain.audit.services import AUDIT_SORT, AuditQueries
from app.lib.addresses import MAX_LENGTH
from app.lib.audit.kinds import MAX_KIND_LENGTH
from app.lib.http.injection import Caller, Injected, Paging
from app.lib.pagination.parameters import After, Before
from app.lib.security.policies import authenticated, permission
from app.lib.wire.dto import StructDTO

_Kind = Annotated[
    str, Meta(min_length=1, max_length=MAX_KIND_LENGTH), QueryParameter(min_length=1, max_length=MAX_KIND_LENGTH)
]
Kinds = Annotated[
    list[_Kind] | None,
    QueryParameter(name="kind", description="Of this kind; repeat for any of several.", max_items=20),
]
_Ids = list[Annotated[UUID, QueryParameter(schema_extra={"maxLength": 36})]]
Addresses = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH), QueryParameter(min_length=1, max_length=MAX_LENGTH)]]
    | None,
    QueryParameter(name="address", description="From this client address; repeat for any.", max_items=20),
]
_LATE = "An event is listed within about a second after it was recorded."


def _ids(name: str, description: str) -> Any:
    return QueryParameter(name=name, description=f"{description}; repeat for any of several.", max_items=20)


@get(
    "/audit-log",
    guards=[permission(AUDIT_READ)],
    return_dto=StructDTO[AuditEventPage],
    summary="List the audit log",
    description=f"Who did what to whom, from where, in which session, when. {_LATE}",
    tags=["Audit log"],
)
async def list_audit_log(
    audit_queries: Injected[AuditQueries],
    paging: Paging,
    kind: Kinds = None,
    actor_id: Annotated[_Ids | None, _ids("actor_id", "Done by this user")] = None,
    subject_id: Annotated[_Ids | None, _ids("subject_id", "Done to this user or thing")] = None,
    session_id: Annotated[_Ids | None, _ids("session_id", "Done in this session")] = None,
    address: Addresses = None,
    created_after: After = None,
    created_before: Before = None,
    sort: Annotated[str | None, AUDIT_SORT] = None,
) -> AuditEventPage:
    filters = {
        "kind": kind,
        "actor_id": actor_id,
        "subject_id": subject_id,
        "session_id": session_id,
        "address": address,
        "created_after": created_after,
        "created_before": created_before,
    }
    return await audit_queries.list(paging, sort, filters)


@get(
    "/users/me/security-events",
    guards=[authenticated],
    return_dto=StructDTO[SecurityEventPage],
    summary="List your security events",
    description=f"Sign-ins, refused ones, and changes of your account, newest first. {_LATE}",
    tags=["Audit log"],
)
async def list_security_events(
    audit_queries: Injected[AuditQueries],
    principal: Caller,
    paging: Paging,
    kind: Kinds = None,
    created_after: After = None,
    created_before: Before = None,
) -> SecurityEventPage:
    filters = {"kind": kind, "created_after": created_after, "created_before": created_before}
    return await audit_queries.list_own(paging, filters, principal)
