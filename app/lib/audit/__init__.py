"""The audit log: who did what to whom, from where, in which session, when."""

from app.lib.audit.kinds import AuditKind, Stream, declare
from app.lib.audit.records import SYSTEM, Origin, provide_origin, record
from app.lib.audit.tables import MAX_USER_AGENT, AuditEvent

__all__ = [
    "MAX_USER_AGENT",
    "SYSTEM",
    "AuditEvent",
    "AuditKind",
    "Origin",
    "Stream",
    "declare",
    "provide_origin",
    "record",
]
