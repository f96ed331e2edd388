"""The audit log: who did what to whom, from where, in which session, when."""

from app.lib.audit.records import MAX_USER_AGENT, SYSTEM, AuditEvent, Origin, provide_origin, purge, record

__all__ = ["MAX_USER_AGENT", "SYSTEM", "AuditEvent", "Origin", "provide_origin", "purge", "record"]
