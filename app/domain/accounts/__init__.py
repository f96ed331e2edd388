"""Accounts: users, profiles, roles and permissions."""

from app.domain.accounts.audit import AUDIT_KINDS
from app.domain.accounts.build import build
from app.domain.accounts.controllers.me import MeController
from app.domain.accounts.controllers.profiles import ProfileController
from app.domain.accounts.controllers.roles import RoleController, list_permissions
from app.domain.accounts.controllers.users import UserController, create_service_account
from app.domain.accounts.errors import INVALID_CREDENTIALS
from app.domain.accounts.exports import EXPORTS
from app.domain.accounts.listeners import LISTENERS
from app.domain.accounts.permissions import PERMISSIONS
from app.domain.accounts.services.erase import JOBS as ERASURE_JOBS
from app.domain.accounts.services.holders import touch_holders
from app.domain.accounts.settings import AccountSettings
from app.domain.accounts.steps import STEPS
from app.domain.accounts.webhooks import WEBHOOK_KINDS
from app.lib.domain import Domain

accounts = Domain(
    name="accounts",
    exports=EXPORTS,
    settings=AccountSettings,
    build=build,
    controllers=(
        MeController,
        UserController,
        create_service_account,
        ProfileController,
        RoleController,
        list_permissions,
    ),
    audit_kinds=AUDIT_KINDS,
    permissions=PERMISSIONS,
    listeners=LISTENERS,
    jobs=(*ERASURE_JOBS, touch_holders),
    webhook_kinds=WEBHOOK_KINDS,
    error_codes=(INVALID_CREDENTIALS,),
    demo="app.domain.accounts.demo:seed",
    steps=STEPS,
    tag_group="Account",
    tags=(
        ("Users", "The current user, and all users for administrators."),
        ("Profiles", "What other people see of a user."),
        ("Roles", "Roles, and the permissions that they give."),
    ),
)
