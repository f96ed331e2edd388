from app.lib.audit import AuditKind, declare

AUDIT_KINDS = declare(
    AuditKind("sign_in.ok", "A user signed in.", is_own=True),
    AuditKind("sign_in.failed", "A sign-in was refused.", is_own=True, by_strangers=True),
    AuditKind(
        "sign_in.locked_out", "A sign-in was refused, and so are others for a while.", is_own=True, by_strangers=True
    ),
    AuditKind("sign_in.unverified", "The password was right, but the address is not confirmed.", is_own=True),
    AuditKind("sign_in.inactive", "The password was right, but the user is not active.", is_own=True),
    AuditKind("sign_out", "A user signed out.", is_own=True),
    AuditKind("sign_out.others", "A user ended their other sessions.", is_own=True),
    AuditKind("sign_out.everywhere", "A user ended all their sessions.", is_own=True),
    AuditKind("session.ended", "A user ended one of their sessions.", is_own=True),
    AuditKind("session.replaced", "A user got new tokens for a new password.", is_own=True),
    AuditKind("session.reauthenticated", "A user gave their password again, for sensitive acts.", is_own=True),
    AuditKind("sign_in.mfa_required", "The password was right, and a second factor is missing.", is_own=True),
    AuditKind("mfa.refused", "A wrong code was given for a second factor.", is_own=True),
    AuditKind("mfa.locked_out", "A wrong code was given, and no other is tried for a while.", is_own=True),
    AuditKind("mfa.totp_added", "A user confirmed an app that makes codes.", is_own=True),
    AuditKind("mfa.totp_removed", "A user removed the app that makes codes.", is_own=True),
    AuditKind("mfa.recovery_codes_renewed", "A user got other recovery codes.", is_own=True),
    AuditKind("mfa.recovery_code_used", "A recovery code was used.", is_own=True),
    AuditKind("mfa.turned_off", "An administrator removed all second factors of a user.", is_own=True),
    AuditKind("token.reused", "A refresh token was used twice, so its session ended.", is_own=True),
    AuditKind("api_key.created", "An API key was created.", is_own=True),
    AuditKind("api_key.revoked", "An API key was revoked.", is_own=True),
    AuditKind("impersonation.started", "Support began to act as a user: of the support.", is_own=True),
    AuditKind("session.impersonated", "Support began to act as a user: of the user.", is_own=True),
    AuditKind("impersonation.ended", "Support signed out of the session of a user.", is_own=True),
    AuditKind("link.requested", "A mail with a link was asked for.", is_own=True, by_strangers=True),
    AuditKind("user.registered_again", "A registration with an address that is taken.", is_own=True, by_strangers=True),
)
