from app.lib.domain import Permission

USERS_READ = "users:read"
USERS_WRITE = "users:write"
USERS_DELETE = "users:delete"
ROLES_READ = "roles:read"
ROLES_WRITE = "roles:write"

PERMISSIONS = (
    Permission(USERS_READ, "See all accounts."),
    Permission(USERS_WRITE, "Create and change accounts, activate and deactivate them."),
    Permission(USERS_DELETE, "Delete accounts."),
    Permission(ROLES_READ, "See roles and permissions."),
    Permission(ROLES_WRITE, "Create, change and delete roles, and give them to people."),
)
