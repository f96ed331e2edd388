from app.lib.audit import AuditKind, declare

AUDIT_KINDS = declare(
    AuditKind("job.retried", "An operator ran a job again."),
    AuditKind("job.cancelled", "An operator cancelled a job."),
)
