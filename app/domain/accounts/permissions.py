from app.lib.domain import Permission

USERS_READ = "users:read"
USERS_WRITE = "users:write"
USERS_DELETE = "users:delete"
ROLES_READ = "roles:read"
ROLES_WRITE = "roles:write"

PERMISSIONS = (
    Permission(USERS_READ, "See all users."),
    Permission(USERS_WRITE, "Create, update, activate and deactivate users."),
    Permission(USERS_DELETE, "Delete users."),
    Permission(ROLES_READ, "See roles and permissions."),
    Permission(ROLES_WRITE, "Create, update and delete roles, and set the roles of users."),
)
