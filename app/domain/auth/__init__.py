"""Sign-in, sessions and tokens."""

from app.domain.auth.build import build
from app.domain.auth.controllers import AuthController, get_jwks
from app.domain.auth.errors import MFA_REQUIRED, AccountInactive
from app.domain.auth.jobs import JOBS
from app.domain.auth.listeners import LISTENERS
from app.domain.auth.settings import AuthSettings
from app.domain.auth.webhooks import WEBHOOK_KINDS
from app.lib.domain import Domain

auth = Domain(
    name="auth",
    settings=AuthSettings,
    build=build,
    controllers=(AuthController,),
    root_handlers=(get_jwks,),
    listeners=LISTENERS,
    jobs=JOBS,
    webhook_kinds=WEBHOOK_KINDS,
    error_codes=(AccountInactive.code, MFA_REQUIRED),
    tags=(("Auth", "Registration, sign-in and tokens."),),
)
