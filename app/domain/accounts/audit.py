from app.lib.audit import AuditKind, declare

AUDIT_KINDS = declare(
    AuditKind("user.registered", "A user registered.", is_own=True),
    AuditKind("user.created", "An administrator created a user.", is_own=True),
    AuditKind("service_account.created", "An administrator created a service account.", is_own=True),
    AuditKind("user.updated", "Names, address, flags or metadata of a user were changed.", is_own=True),
    AuditKind("profile.updated", "An administrator changed the profile of a user.", is_own=True),
    AuditKind("user.activated", "A user may sign in again.", is_own=True),
    AuditKind("user.deactivated", "A user may not sign in any more.", is_own=True),
    AuditKind("user.deleted", "A user was deleted."),
    AuditKind("user.exported", "A user took along what is held on them.", is_own=True),
    AuditKind("user.roles_set", "A user got other roles.", is_own=True),
    AuditKind("email.verified", "A user confirmed their address.", is_own=True),
    AuditKind("email.changed", "A user has another address, which they confirmed.", is_own=True),
    AuditKind("email.reverted", "A user took their former address back.", is_own=True),
    AuditKind("password.changed", "A user changed their password.", is_own=True),
    AuditKind("password.reset", "A password was set by a mailed link.", is_own=True),
    AuditKind("password.set", "An administrator set a password, which has to be changed.", is_own=True),
    AuditKind("password.refused", "A wrong password was given where the current one was asked for.", is_own=True),
    AuditKind("role.created", "A role was created."),
    AuditKind("role.updated", "A role was changed."),
    AuditKind("role.deleted", "A role was deleted."),
)
