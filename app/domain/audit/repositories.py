from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, and_, case, null, select

from app.domain.audit.dtos import AuditEventPage, AuditEventRead, SecurityEventPage, SecurityEventRead
from app.lib.audit import AuditEvent
from app.lib.audit.kinds import KINDS
from app.lib.db.prepared import columns_of
from app.lib.pagination.filters import between, equals
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey

_CREATED = SortKey("created_at", AuditEvent.created_at, datetime)
_BETWEEN = between("created", AuditEvent.created_at)

AUDIT_LIST = ListQuery(
    "audit-log",
    AuditEventPage,
    select(*columns_of(AuditEventRead, AuditEvent)),
    identity=AuditEvent.id,
    sorts=(_CREATED,),
    default_sort="-created_at",
    filters=(
        equals("kind", AuditEvent.kind),
        equals("actor_id", AuditEvent.actor_id),
        equals("subject_id", AuditEvent.subject_id),
        equals("session_id", AuditEvent.session_id),
        equals("address", AuditEvent.address),
        *_BETWEEN,
    ),
)

_by_other: ColumnElement[bool] = and_(AuditEvent.actor_id.is_not(None), AuditEvent.actor_id != AuditEvent.subject_id)


address_if_own = case((_by_other, null()), else_=AuditEvent.address).label("address")
user_agent_if_own = case((_by_other, null()), else_=AuditEvent.user_agent).label("user_agent")
"""Not those of another user who did it."""


@cache
def security_events() -> ListQuery[SecurityEventPage]:
    """The events of a user that are theirs to see. Made when it is asked for, because all kinds are declared then."""
    return ListQuery(
        "security-events",
        SecurityEventPage,
        select(
            *columns_of(
                SecurityEventRead,
                AuditEvent,
                by_other=_by_other,
                address=address_if_own,
                user_agent=user_agent_if_own,
            )
        ).where(AuditEvent.kind.in_(sorted(each.name for each in KINDS.values() if each.is_own))),
        identity=AuditEvent.id,
        sorts=(_CREATED,),
        default_sort="-created_at",
        filters=(equals("kind", AuditEvent.kind), equals("subject_id", AuditEvent.subject_id), *_BETWEEN),
    )
