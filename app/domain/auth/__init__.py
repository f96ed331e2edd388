"""Sign-in, sessions, tokens and mailed links."""

from pathlib import Path

from app.domain.auth.audit import AUDIT_KINDS
from app.domain.auth.build import build
from app.domain.auth.controllers.api_keys import ApiKeyController, UserKeyController
from app.domain.auth.controllers.auth import AuthController, get_jwks
from app.domain.auth.controllers.me import CredentialController
from app.domain.auth.controllers.mfa import MfaController
from app.domain.auth.controllers.pages import PageController
from app.domain.auth.controllers.passkeys import PasskeyController, PasskeySignInController
from app.domain.auth.controllers.recovery import RecoveryController
from app.domain.auth.controllers.sessions import SessionController
from app.domain.auth.controllers.users import disable_mfa, impersonate_user, send_password_reset
from app.domain.auth.errors import AccountInactive, MfaRequired
from app.domain.auth.exports import EXPORTS
from app.domain.auth.jobs import JOBS
from app.domain.auth.listeners import LISTENERS
from app.domain.auth.permissions import PERMISSIONS
from app.domain.auth.settings import AuthSettings
from app.domain.auth.steps import STEPS
from app.domain.auth.webhooks import WEBHOOK_KINDS
from app.lib.domain import Domain

auth = Domain(
    name="auth",
    exports=EXPORTS,
    settings=AuthSettings,
    build=build,
    controllers=(
        AuthController,
        RecoveryController,
        CredentialController,
        MfaController,
        SessionController,
        PasskeyController,
        PasskeySignInController,
        ApiKeyController,
        UserKeyController,
        send_password_reset,
        disable_mfa,
        impersonate_user,
    ),
    root_handlers=(get_jwks, PageController),
    mail_templates=(Path(__file__).parent / "templates",),
    permissions=PERMISSIONS,
    audit_kinds=AUDIT_KINDS,
    listeners=LISTENERS,
    jobs=JOBS,
    webhook_kinds=WEBHOOK_KINDS,
    error_codes=(AccountInactive.code, MfaRequired.code),
    steps=STEPS,
    tag_group="Account",
    tags=(
        ("Auth", "Registration, sign-in and tokens."),
        ("API keys", "Secrets by which programs act as users."),
    ),
)
