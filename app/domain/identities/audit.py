from app.lib.audit import AuditKind, declare

AUDIT_KINDS = declare(
    AuditKind("identity.linked", "An identity at a provider was linked to a user.", is_own=True),
    AuditKind("identity.unlinked", "An identity at a provider is no longer linked to a user.", is_own=True),
)
