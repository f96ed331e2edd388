from app.lib.domain import Permission

AUDIT_READ = "audit:read"

PERMISSIONS = (Permission(AUDIT_READ, "Read the audit log: who did what to whom, from where and when."),)
