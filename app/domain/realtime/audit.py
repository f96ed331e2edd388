from app.lib.audit import AuditKind, declare

AUDIT_KINDS = declare(
    AuditKind("room.updated", "Staff changed a room."),
    AuditKind("room.closed", "Staff closed a room."),
    AuditKind("room.reopened", "Staff opened a closed room again."),
    AuditKind("room.deleted", "Staff deleted a room with its messages."),
    AuditKind("room.message_updated", "Staff updated a message in a room."),
    AuditKind("room.message_deleted", "Staff deleted a message in a room."),
    AuditKind("room.member_removed", "Staff removed a member from a room."),
)
