from app.lib.audit import AuditKind, declare

AUDIT_KINDS = declare(
    AuditKind("post.updated", "Someone else changed an author's post."),
    AuditKind("post.deleted", "Someone else deleted an author's post."),
)
