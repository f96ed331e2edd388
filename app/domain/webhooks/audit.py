from app.lib.audit import AuditKind, declare

AUDIT_KINDS = declare(
    AuditKind("webhook.created", "A webhook was created."),
    AuditKind("webhook.updated", "A webhook was changed."),
    AuditKind("webhook.secret_rotated", "A webhook got another secret."),
    AuditKind("webhook.deleted", "A webhook was deleted."),
    AuditKind(
        "webhook.disabled", "A webhook was switched off: deliveries failed for long, or its owner's password was reset."
    ),
)
