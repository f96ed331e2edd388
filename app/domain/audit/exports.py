from app.domain.audit.repositories import address_if_own, user_agent_if_own
from app.lib.audit import AuditEvent
from app.lib.export import export

_SHOWN = (AuditEvent.created_at, AuditEvent.id, AuditEvent.kind)

EXPORTS = (
    export(
        "events_about_you",
        *_SHOWN,
        address_if_own,
        user_agent_if_own,
        of=AuditEvent.subject_id,
        by=[AuditEvent.created_at, AuditEvent.id],
    ),
    export(
        "events_by_you",
        *_SHOWN,
        AuditEvent.subject_id,
        AuditEvent.session_id,
        AuditEvent.address,
        AuditEvent.user_agent,
        AuditEvent.details,
        of=AuditEvent.actor_id,
        by=[AuditEvent.created_at, AuditEvent.id],
    ),
)
