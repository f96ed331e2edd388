"""Accounts: users, profiles, roles and permissions."""

from app.domain.accounts.controllers.me import MeController
from app.domain.accounts.controllers.roles import RoleController, list_permissions
from app.domain.accounts.controllers.users import UserController, get_profile
from app.domain.accounts.errors import INVALID_CREDENTIALS
from app.domain.accounts.permissions import PERMISSIONS
from app.domain.accounts.providers import PROVIDERS, SHARED_PROVIDERS
from app.domain.accounts.webhooks import WEBHOOK_KINDS
from app.lib.domain import Domain

accounts = Domain(
    name="accounts",
    controllers=(MeController, UserController, get_profile, RoleController, list_permissions),
    providers=PROVIDERS,
    shared_providers=SHARED_PROVIDERS,
    permissions=PERMISSIONS,
    webhook_kinds=WEBHOOK_KINDS,
    error_codes=(INVALID_CREDENTIALS,),
    tags=(
        ("Users", "The current user, and all users for administrators."),
        ("Profiles", "What other people see of a user."),
        ("Roles", "Roles, and the permissions that they give."),
    ),
)
