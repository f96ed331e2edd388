from app.lib.audit import AuditKind, declare

AUDIT_KINDS = declare(
    AuditKind("room.updated", "Staff changed a room."),
    AuditKind("room.closed", "Staff closed a room."),
    AuditKind("room.reopened", "Staff opened a closed room again."),
    AuditKind("room.deleted", "Staff deleted a room with its messages."),
    AuditKind("room.member_removed", "Staff removed a member from a room."),
)
